// The walks with 64 rows in a register: AVX-512 with bytes and their permutation (BW, VBMI).
#include "internal.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define CF_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))

#define CF_ROWS(n, body)                                                                                                     \
    _Pragma("clang loop unroll(full)") for (int i = 0; i < n; i++) { body; }

// `n` registers of 64 rows each.
#define CF_MASK(name, n)                                                                                                     \
    CF_TARGET static void name(const cf_split *splits, const cf_tree *tree, const uint8_t *codes, uint8_t *low) {            \
        __m512i at[n];                                                                                                       \
        CF_ROWS(n, at[i] = _mm512_setzero_si512())                                                                           \
        for (uint32_t index = 0; index < tree->splits; index++) {                                                            \
            const cf_split split = splits[index];                                                                            \
            const uint8_t *column = codes + (size_t)(split.rule >> 8) * CF_BLOCK;                                            \
            const __m512i code = _mm512_set1_epi8((char)split.rule);                                                         \
            const __m512i here = _mm512_set1_epi8((char)split.low);                                                          \
            const __m512i right = _mm512_set1_epi8((char)split.high);                                                        \
            CF_ROWS(n, {                                                                                                     \
                __mmask64 is_here = _mm512_cmpeq_epi8_mask(at[i], here);                                                     \
                __mmask64 goes = _mm512_mask_cmpgt_epu8_mask(is_here, _mm512_loadu_si512(column + 64 * i), code);            \
                at[i] = _mm512_mask_mov_epi8(at[i], goes, right);                                                            \
            })                                                                                                               \
        }                                                                                                                    \
        CF_ROWS(n, _mm512_storeu_si512(low + 64 * i, at[i]))                                                                 \
    }                                                                                                                        \
    CF_TARGET static void name##_symmetric(const cf_split *splits, const cf_tree *tree, const uint8_t *codes, uint8_t *low) { \
        __m512i at[n];                                                                                                       \
        CF_ROWS(n, at[i] = _mm512_setzero_si512())                                                                           \
        const __m512i one = _mm512_set1_epi8(1);                                                                             \
        for (uint32_t level = 0; level < tree->depth; level++) {                                                             \
            const cf_split split = splits[level];                                                                            \
            const uint8_t *column = codes + (size_t)(split.rule >> 8) * CF_BLOCK;                                            \
            const __m512i code = _mm512_set1_epi8((char)split.rule);                                                         \
            CF_ROWS(n, {                                                                                                     \
                __mmask64 goes = _mm512_cmpgt_epu8_mask(_mm512_loadu_si512(column + 64 * i), code);                          \
                at[i] = _mm512_add_epi8(at[i], at[i]);                                                                       \
                at[i] = _mm512_mask_add_epi8(at[i], goes, at[i], one);                                                       \
            })                                                                                                               \
        }                                                                                                                    \
        CF_ROWS(n, _mm512_storeu_si512(low + 64 * i, at[i]))                                                                 \
    }

CF_MASK(cf_mask_64, 1)
CF_MASK(cf_mask_128, 2)
CF_MASK(cf_mask_192, 3)
CF_MASK(cf_mask_256, 4)

void cf_mask_avx512(const cf_forest *forest, const cf_tree *tree, const uint8_t *codes, size_t rows, uint8_t *low) {
    static void (*const walks[2][4])(const cf_split *, const cf_tree *, const uint8_t *, uint8_t *) = {
        {cf_mask_64, cf_mask_128, cf_mask_192, cf_mask_256},
        {cf_mask_64_symmetric, cf_mask_128_symmetric, cf_mask_192_symmetric, cf_mask_256_symmetric},
    };
    walks[tree->kind == 2][(rows + 63) / 64 - 1](forest->splits + tree->first_split, tree, codes, low);
}

__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi"))) void cf_members_avx512(
    const uint32_t *words, const uint8_t *categories, uint8_t *codes
) {
    const __m512i set = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)words));
    const __m512i bits = _mm512_set1_epi64((long long)0x8040201008040201);
    for (size_t row = 0; row < CF_BLOCK; row += 64) {
        const __m512i category = _mm512_loadu_si512(categories + row);
        const __m512i place = _mm512_and_si512(_mm512_srli_epi16(category, 3), _mm512_set1_epi8(31));
        const __m512i bit = _mm512_shuffle_epi8(bits, _mm512_and_si512(category, _mm512_set1_epi8(7)));
        const __mmask64 is_out = _mm512_testn_epi8_mask(_mm512_permutexvar_epi8(place, set), bit);
        _mm512_storeu_si512(codes + row, _mm512_maskz_set1_epi8(is_out, 1));
    }
}

CF_TARGET void cf_ranks_avx512(
    const double *table, uint32_t padded, uint32_t count, int counts_equal, const double *values, uint32_t *ranks
) {
    const __m512i most = _mm512_set1_epi64(count);
    enum { side = 4 };
    for (size_t row = 0; row < CF_BLOCK; row += 8 * side) {
        __m512i at[side];
        __m512d value[side];
        for (int i = 0; i < side; i++) {
            at[i] = _mm512_setzero_si512();
            value[i] = _mm512_loadu_pd(values + row + 8 * i);
        }
        for (uint32_t half = (padded + 1) / 2; half > 0; half /= 2) {
            const __m512i step = _mm512_set1_epi64(half);
            for (int i = 0; i < side; i++) {
                __m512d threshold = _mm512_i64gather_pd(at[i], table + half - 1, 8);
                __mmask8 is_above = counts_equal ? _mm512_cmp_pd_mask(threshold, value[i], _CMP_LE_OQ)
                                                 : _mm512_cmp_pd_mask(threshold, value[i], _CMP_LT_OQ);
                at[i] = _mm512_mask_add_epi64(at[i], is_above, at[i], step);
            }
        }
        for (int i = 0; i < side; i++) {
            _mm256_storeu_si256((__m256i *)(ranks + row + 8 * i), _mm512_cvtepi64_epi32(_mm512_min_epu64(at[i], most)));
        }
    }
}
#endif
