/* SPDX-License-Identifier: Apache-2.0 */
#include "CBPF.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char object[] __attribute__((aligned(8))) = {
#embed "../../build/mizar.bpf.o"
};

const void *mzr_object_bytes(void)
{
	return object;
}

size_t mzr_object_size(void)
{
	return sizeof(object);
}

static const char *const drop_words[] = {
#define MZR_X(name, number, word, text) [number] = word,
	MZR_DROP_REASONS(MZR_X)
#undef MZR_X
};

static const char *const drop_texts[] = {
#define MZR_X(name, number, word, text) [number] = text,
	MZR_DROP_REASONS(MZR_X)
#undef MZR_X
};

const char *mzr_drop_word(unsigned int reason)
{
	return reason < MZR_DROP_COUNT ? drop_words[reason] : NULL;
}

const char *mzr_drop_text(unsigned int reason)
{
	return reason < MZR_DROP_COUNT ? drop_texts[reason] : NULL;
}
