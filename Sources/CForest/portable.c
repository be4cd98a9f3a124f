// The walks in plain C.
#include "internal.h"

#define CF_MASK_BODY                                                                                                          \
    const cf_split *splits = forest->splits + tree->first_split;                                                             \
    memset(low, 0, CF_BLOCK);                                                                                                \
    if (tree->kind == 2) {                                                                                                   \
        /* The left spine has one split of each level, that of the highest bit first. */                                    \
        for (uint32_t level = 0; level < tree->depth; level++) {                                                             \
            const uint8_t *column = codes + (size_t)(splits[level].rule >> 8) * CF_BLOCK;                                    \
            const uint8_t code = (uint8_t)splits[level].rule;                                                                \
            for (size_t row = 0; row < CF_BLOCK; row++) low[row] = (uint8_t)(low[row] * 2 + (column[row] > code ? 1 : 0));   \
        }                                                                                                                    \
        return;                                                                                                              \
    }                                                                                                                        \
    for (uint32_t index = 0; index < tree->splits; index++) {                                                                \
        const cf_split split = splits[index];                                                                                \
        const uint8_t *column = codes + (size_t)(split.rule >> 8) * CF_BLOCK;                                                \
        const uint8_t code = (uint8_t)split.rule;                                                                            \
        for (size_t row = 0; row < CF_BLOCK; row++) {                                                                        \
            uint8_t at = low[row];                                                                                           \
            low[row] = ((at == split.low) & (column[row] > code)) ? split.high : at;                                          \
        }                                                                                                                    \
    }

// A row is at a split exactly if the leftmost leaf that it can still reach is the split's leftmost leaf: all splits above come
// before it, and of those that share the leaf each is below the other. Going right moves it to the first leaf of the right half.
void cf_mask_portable(const cf_forest *forest, const cf_tree *tree, const uint8_t *codes, size_t rows, uint8_t *low) {
    (void)rows;
    CF_MASK_BODY
}

#if defined(__x86_64__)
// The same, compiled for wider registers.
__attribute__((target("avx2"))) void cf_mask_avx2(
    const cf_forest *forest, const cf_tree *tree, const uint8_t *codes, size_t rows, uint8_t *low
) {
    (void)rows;
    CF_MASK_BODY
}
#endif
