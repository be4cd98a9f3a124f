// What the walks of one instruction set share with those of another.
#ifndef CFOREST_INTERNAL_H
#define CFOREST_INTERNAL_H

#include "CForest.h"

#include <math.h>
#include <string.h>

// The magnitude up to which LightGBM takes a number for zero.
static const double cf_zero = (double)1e-35f;

// The instruction sets differ in these.
void cf_mask_portable(const cf_forest *forest, const cf_tree *tree, const uint8_t *codes, size_t rows, uint8_t *low);
void cf_mask_avx2(const cf_forest *forest, const cf_tree *tree, const uint8_t *codes, size_t rows, uint8_t *low);
void cf_mask_avx512(const cf_forest *forest, const cf_tree *tree, const uint8_t *codes, size_t rows, uint8_t *low);
void cf_ranks_portable(const double *table, uint32_t padded, uint32_t count, int counts_equal, const double *values, uint32_t *ranks);
void cf_ranks_avx512(const double *table, uint32_t padded, uint32_t count, int counts_equal, const double *values, uint32_t *ranks);

// Categories of a block, cut to bytes: 255 stands for what is in no set.
enum { CF_NO_CATEGORY = 255 };
void cf_members_portable(const uint32_t *words, const uint8_t *categories, uint8_t *codes);
void cf_members_avx512(const uint32_t *words, const uint8_t *categories, uint8_t *codes);

#endif
