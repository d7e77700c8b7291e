/* SPDX-License-Identifier: Apache-2.0 */
/* libbpf, the ABI of the maps, and what Swift cannot import from either by itself. */
#ifndef CBPF_H
#define CBPF_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stddef.h>

#include "mizar_abi.h"
#include "mizar_namespace.h"
#include "mzr_wait.h"

/* The compiled data plane (bpf/mizar.bpf.c), embedded at build time. */
const void *mzr_object_bytes(void);
size_t mzr_object_size(void);

/* The short word and the sentence for a drop reason; NULL beyond MZR_DROP_COUNT. */
const char *mzr_drop_word(unsigned int reason);
const char *mzr_drop_text(unsigned int reason);

#endif /* CBPF_H */
