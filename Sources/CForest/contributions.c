// Shapley values of trees.
//
// A leaf of value v, on whose path the different features i have the shares z (of training rows that stay on the path) and o (1 if the row
// itself stays on it, else 0), gives feature i the value
//
//     v (o_i - z_i) Σ_S |S|! (d - 1 - |S|)! / d!  Π_{j in S} o_j Π_{j not in S} z_j  =  v (o_i - z_i) ∫ Π_{j != i} (z_j (1 - t) + o_j t) dt
//
// over t from 0 to 1, since the beta integral is the weight of S. (TreeSHAP, Lundberg et al. 2018, sums the same terms by extending and
// unwinding paths.) The integrand is a polynomial of degree d - 1, so that a quadrature with d / 2 points is exact; all its terms are
// positive, so that nothing cancels. At each point the product over the path is carried down the tree, and what leaves make of it is
// summed on the way up, so that a tree costs a few operations a node and point, whatever its depth.
//
// Where a feature stands on the path more than once, its shares are multiplied; what was counted for the upper one over the leaves
// below the lower one is taken back there.
#include "internal.h"

#pragma STDC FP_CONTRACT OFF

typedef double cf_lanes __attribute__((vector_size(8 * CF_LANES)));

// The sum of all lanes, in one order whatever the instructions. No function, since vectors that wide are passed in different ways.
#define cf_total(lanes)                                                                                                      \
    ({                                                                                                                       \
        const cf_lanes a = (lanes);                                                                                          \
        ((a[0] + a[1]) + (a[2] + a[3])) + ((a[4] + a[5]) + (a[6] + a[7]));                                                   \
    })

static inline __attribute__((always_inline)) void cf_contributions_body(
    const cf_step *steps, uint32_t count, const double *leaves, const uint8_t *codes, const double *points, const double *weights,
    uint32_t groups, double *scratch, double *contributions
) {
    cf_lanes *product = (cf_lanes *)scratch;
    cf_lanes *below = product + count;
    double *stays = (double *)(below + count);
    stays[0] = 1;
    for (uint32_t i = 1; i < count; i++) {
        const cf_step *step = steps + i;
        uint32_t goes_right = codes[step->rule >> 8] > (uint8_t)step->rule;
        stays[i] = goes_right == step->is_right ? stays[step->same] : 0;
    }
    const cf_lanes zero = {0};
    for (uint32_t group = 0; group < groups; group++) {
        const cf_lanes t = *(const cf_lanes *)(points + group * CF_LANES);
        const cf_lanes w = *(const cf_lanes *)(weights + group * CF_LANES);
        const cf_lanes rest = 1 - t;
        const cf_lanes w_rest = w / rest;
        product[0] = zero + 1;
        below[0] = zero;
        for (uint32_t i = 1; i < count; i++) {
            const cf_step *step = steps + i;
            cf_lanes p = product[step->parent];
            if (stays[i] != 0) {
                p *= step->share * rest + t;
            } else {
                p *= step->share * rest;
            }
            if (step->same != 0) {
                const double share = steps[step->same].share;
                if (stays[step->same] != 0) {
                    p /= share * rest + t;
                } else if (share > 0) {
                    p /= share * rest;
                }
            }
            product[i] = p;
            below[i] = step->leaf != UINT32_MAX ? p * leaves[step->leaf] : zero;
        }
        for (uint32_t i = count - 1; i > 0; i--) {
            const cf_step *step = steps + i;
            const cf_lanes sum = below[i];
            below[step->parent] += sum;
            // (o - z) Σ w sum / (z (1 - t) + o t), which for o = 0 has no z left.
            double value = 0;
            if (stays[i] != 0) {
                value = (1 - step->share) * cf_total(w * sum / (step->share * rest + t));
            } else if (step->share > 0) {
                value = -cf_total(w_rest * sum);
            }
            if (step->same != 0) {
                const double share = steps[step->same].share;
                if (stays[step->same] != 0) {
                    value -= (1 - share) * cf_total(w * sum / (share * rest + t));
                } else if (share > 0) {
                    value += cf_total(w_rest * sum);
                }
            }
            contributions[step->feature] += value;
        }
    }
}

static void cf_contributions_portable(
    const cf_step *steps, uint32_t count, const double *leaves, const uint8_t *codes, const double *points, const double *weights,
    uint32_t groups, double *scratch, double *contributions
) {
    cf_contributions_body(steps, count, leaves, codes, points, weights, groups, scratch, contributions);
}

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512vl,avx512dq"))) static void cf_contributions_avx512(
    const cf_step *steps, uint32_t count, const double *leaves, const uint8_t *codes, const double *points, const double *weights,
    uint32_t groups, double *scratch, double *contributions
) {
    cf_contributions_body(steps, count, leaves, codes, points, weights, groups, scratch, contributions);
}

__attribute__((target("avx2"))) static void cf_contributions_avx2(
    const cf_step *steps, uint32_t count, const double *leaves, const uint8_t *codes, const double *points, const double *weights,
    uint32_t groups, double *scratch, double *contributions
) {
    cf_contributions_body(steps, count, leaves, codes, points, weights, groups, scratch, contributions);
}
#endif

void cf_contributions(
    const cf_step *steps, uint32_t count, const double *leaves, const uint8_t *codes, const double *points, const double *weights,
    uint32_t groups, double *scratch, double *contributions, int path
) {
#if defined(__x86_64__)
    if (path == CF_AVX512) {
        cf_contributions_avx512(steps, count, leaves, codes, points, weights, groups, scratch, contributions);
        return;
    }
    if (path == CF_AVX2) {
        cf_contributions_avx2(steps, count, leaves, codes, points, weights, groups, scratch, contributions);
        return;
    }
#endif
    (void)path;
    cf_contributions_portable(steps, count, leaves, codes, points, weights, groups, scratch, contributions);
}
