/* SPDX-License-Identifier: Apache-2.0 */
/* libgit2, and the little of it that Swift cannot import. */
#ifndef MZR_CGIT2_SHIM_H
#define MZR_CGIT2_SHIM_H

#include <git2.h>
#include <git2/sys/alloc.h>
#include <git2/sys/mempack.h>
#include <git2/sys/transport.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Two folders change names at one moment. Swift's module of the C library leaves renameat2 out. */
static inline int mzr_exchange(const char *one, const char *other)
{
	const int at_cwd = -100, exchange = 2; /* AT_FDCWD, RENAME_EXCHANGE */

	return (int)syscall(SYS_renameat2, at_cwd, one, at_cwd, other, exchange);
}

/* What libgit2 hands back to us: its own part first, then the Swift object that it belongs to. */
struct mzr_git_subtransport {
	git_smart_subtransport parent;
	void *owner;
};

struct mzr_git_stream {
	git_smart_subtransport_stream parent;
	void *owner;
};

/* git_libgit2_opts is variadic, which Swift cannot call. Both options take one int. */
static inline int mzr_git_set_owner_validation(int enabled)
{
	return git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, enabled);
}

static inline int mzr_git_set_fsync(int enabled)
{
	return git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, enabled);
}

/*
 * Reading needs nothing of these two: a partial clone names the remote that has what it lacks, and sparse
 * ones have settings of their own for each working tree.
 */
static inline int mzr_git_read_more_clones(void)
{
	static const char *names[] = {"partialclone", "worktreeconfig"};

	return git_libgit2_opts(GIT_OPT_SET_EXTENSIONS, names, (size_t)2);
}

/* Looks for no settings of the user's: neither ~/.gitconfig nor $XDG_CONFIG_HOME/git/config. */
static inline int mzr_git_forget_user(void)
{
	int result = git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_GLOBAL, "");

	return result ? result : git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_XDG, "");
}

/* Where libgit2 looks for .ssh/known_hosts: as of 1.7 it fetches nothing by ssh without such a folder. */
static inline int mzr_git_set_home(const char *folder)
{
#if LIBGIT2_VER_MAJOR > 1 || LIBGIT2_VER_MINOR >= 7
	return git_libgit2_opts(GIT_OPT_SET_HOMEDIR, folder);
#else
	(void)folder;
	return 0;
#endif
}

/*
 * The most that libgit2 may allocate at once. An object's header says how large it is; not so what it is a
 * delta of, which is unpacked for it: a pack of a megabyte may hold a file of 40 bytes that takes gigabytes
 * to read.
 */
static _Atomic size_t mzr_git_allocation_max = SIZE_MAX;

static inline int mzr_git_refuses(size_t size)
{
	if (size <= mzr_git_allocation_max)
		return 0;
	git_error_set_str(GIT_ERROR_NOMEMORY,
			  "what it is stored as a difference to is too large to be unpacked");
	return 1;
}

static inline void *mzr_git_realloc(void *old, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	if (mzr_git_refuses(size))
		return NULL;
	/* As libgit2's own does: never NULL for no bytes. */
	void *new = realloc(old, size ? size : 1);

	if (!new)
		git_error_set_oom();
	return new;
}

static inline void *mzr_git_malloc(size_t size, const char *file, int line)
{
	return mzr_git_realloc(NULL, size, file, line);
}

static inline void mzr_git_free(void *old)
{
	free(old);
}

#if LIBGIT2_VER_MAJOR == 1 && LIBGIT2_VER_MINOR < 8
static inline void *mzr_git_reallocarray(void *old, size_t count, size_t size, const char *file, int line)
{
	if (size && count > SIZE_MAX / size) {
		git_error_set_oom();
		return NULL;
	}
	return mzr_git_realloc(old, count * size, file, line);
}

static inline void *mzr_git_mallocarray(size_t count, size_t size, const char *file, int line)
{
	return mzr_git_reallocarray(NULL, count, size, file, line);
}

static inline void *mzr_git_calloc(size_t count, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	if (size && count > SIZE_MAX / size) {
		git_error_set_oom();
		return NULL;
	}
	if (mzr_git_refuses(count * size))
		return NULL;
	void *new = calloc(count ? count : 1, size ? size : 1);

	if (!new)
		git_error_set_oom();
	return new;
}

static inline char *mzr_git_substrdup(const char *text, size_t length, const char *file, int line)
{
	char *copy = (char *)mzr_git_malloc(length + 1, file, line);

	if (copy) {
		memcpy(copy, text, length);
		copy[length] = 0;
	}
	return copy;
}

static inline char *mzr_git_strdup(const char *text, const char *file, int line)
{
	return mzr_git_substrdup(text, strlen(text), file, line);
}

static inline char *mzr_git_strndup(const char *text, size_t most, const char *file, int line)
{
	return mzr_git_substrdup(text, strnlen(text, most), file, line);
}
#endif

/* Before git_libgit2_init, so that nothing is freed by another than has made it. */
static inline int mzr_git_set_allocator(void)
{
#if LIBGIT2_VER_MAJOR == 1 && LIBGIT2_VER_MINOR < 8
	static git_allocator allocator = {
		.gmalloc = mzr_git_malloc,
		.gcalloc = mzr_git_calloc,
		.gstrdup = mzr_git_strdup,
		.gstrndup = mzr_git_strndup,
		.gsubstrdup = mzr_git_substrdup,
		.grealloc = mzr_git_realloc,
		.greallocarray = mzr_git_reallocarray,
		.gmallocarray = mzr_git_mallocarray,
		.gfree = mzr_git_free,
	};
#else
	static git_allocator allocator = {
		.gmalloc = mzr_git_malloc,
		.grealloc = mzr_git_realloc,
		.gfree = mzr_git_free,
	};
#endif
	return git_libgit2_opts(GIT_OPT_SET_ALLOCATOR, &allocator);
}

static inline void mzr_git_set_allocation_max(size_t most)
{
	mzr_git_allocation_max = most;
}

/* A global variable, which Swift's concurrency checks rightly refuse. */
extern char **environ;

static inline char **mzr_environ(void)
{
	return environ;
}

#endif /* MZR_CGIT2_SHIM_H */
