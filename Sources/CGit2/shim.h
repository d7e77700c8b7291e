/* SPDX-License-Identifier: Apache-2.0 */
/* libgit2, and the little of it that Swift cannot import. */
#ifndef MZR_CGIT2_SHIM_H
#define MZR_CGIT2_SHIM_H

#include <git2.h>

/* git_libgit2_opts is variadic, which Swift cannot call. Both options take one int. */
static inline int mzr_git_set_owner_validation(int enabled)
{
	return git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, enabled);
}

static inline int mzr_git_set_fsync(int enabled)
{
	return git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, enabled);
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

/* A global variable, which Swift's concurrency checks rightly refuse. */
extern char **environ;

static inline char **mzr_environ(void)
{
	return environ;
}

#endif /* MZR_CGIT2_SHIM_H */
