// Walks, sums, and the choice of instructions.
#include "internal.h"

int cf_best_path(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vbmi")) {
        return CF_AVX512;
    }
    if (__builtin_cpu_supports("avx2")) return CF_AVX2;
#endif
    return CF_PORTABLE;
}

static void cf_mask(
    const cf_forest *forest, const cf_tree *tree, const uint8_t *codes, size_t rows, uint8_t *low, int path
) {
#if defined(__x86_64__)
    if (path == CF_AVX512) return cf_mask_avx512(forest, tree, codes, rows, low);
    if (path == CF_AVX2) return cf_mask_avx2(forest, tree, codes, rows, low);
#endif
    (void)path;
    cf_mask_portable(forest, tree, codes, rows, low);
}

enum { cf_side = 8 };

// Walks rows of a block side by side through a tree of any size.
static void cf_walk_rows(const cf_forest *forest, const cf_tree *tree, const uint8_t *codes, size_t rows, uint32_t *leaves) {
    const cf_node *nodes = forest->nodes + tree->first_node;
    const uint32_t *names = forest->node_leaves + tree->first_node;
    for (size_t row = 0; row < rows; row += cf_side) {
        uint32_t at[cf_side] = {0};
        uint32_t moved = tree->depth;
        while (moved != 0) {
            moved = 0;
            for (int i = 0; i < cf_side; i++) {
                cf_node node = nodes[at[i]];
                uint32_t next = node.child + (codes[(size_t)(node.rule >> 8) * CF_BLOCK + row + i] > (uint8_t)node.rule);
                moved |= next ^ at[i];
                at[i] = next;
            }
        }
        size_t end = rows - row < cf_side ? rows - row : cf_side;
        for (size_t i = 0; i < end; i++) leaves[row + i] = names[at[i]];
    }
}

void cf_tree_leaves(
    const cf_forest *forest, const cf_tree *tree, const uint8_t *codes, size_t rows, uint32_t *leaves, int path
) {
    if (tree->kind == 1 || tree->leaves > 256) return cf_walk_rows(forest, tree, codes, rows, leaves);
    uint8_t low[CF_BLOCK];
    cf_mask(forest, tree, codes, rows, low, path);
    for (size_t row = 0; row < rows; row++) leaves[row] = low[row];
}

// Walks one row through `cf_side` trees side by side.
static inline void cf_walk_trees(
    const cf_forest *forest, const cf_tree *trees, size_t count, const uint8_t *codes, uint32_t *leaves
) {
    const cf_node *nodes = forest->nodes;
    uint32_t at[cf_side], root[cf_side];
    for (size_t i = 0; i < cf_side; i++) {
        root[i] = trees[i < count ? i : 0].first_node;
        at[i] = 0;
    }
    uint32_t moved = 1;
    while (moved != 0) {
        moved = 0;
        for (int i = 0; i < cf_side; i++) {
            cf_node node = nodes[root[i] + at[i]];
            uint32_t next = node.child + (codes[node.rule >> 8] > (uint8_t)node.rule);
            moved |= next ^ at[i];
            at[i] = next;
        }
    }
    for (size_t i = 0; i < count; i++) leaves[i] = forest->node_leaves[root[i] + at[i]];
}

void cf_leaves_one(const cf_forest *forest, size_t from, size_t to, const uint8_t *codes, uint32_t *leaves) {
    for (size_t tree = from; tree < to; tree += cf_side) {
        cf_walk_trees(forest, forest->trees + tree, to - tree < cf_side ? to - tree : cf_side, codes, leaves + (tree - from));
    }
}

static inline double cf_plus(int is_float, double sum, double value) {
    return is_float ? (double)((float)sum + (float)value) : sum + value;
}

static inline double cf_leaf(const cf_forest *forest, size_t index) {
    return forest->precision == CF_FLOAT ? (double)forest->leaves_float[index] : forest->leaves[index];
}

static inline void cf_add_leaf(const cf_forest *forest, const cf_tree *tree, uint32_t leaf, double *sums) {
    const int is_float = forest->precision == CF_FLOAT;
    const size_t width = forest->leaf_width;
    if (width == 1) {
        sums[tree->output] = cf_plus(is_float, sums[tree->output], cf_leaf(forest, tree->first_leaf + leaf));
        return;
    }
    const size_t first = (tree->first_leaf + (size_t)leaf) * width;
    for (size_t i = 0; i < width; i++) sums[i] = cf_plus(is_float, sums[i], cf_leaf(forest, first + i));
}

void cf_add(
    const cf_forest *forest, size_t from, size_t to, const uint8_t *codes, size_t rows, double *sums, int path
) {
    const size_t outputs = forest->outputs;
    uint8_t low[CF_BLOCK];
    uint32_t leaves[CF_BLOCK];
    for (size_t index = from; index < to; index++) {
        const cf_tree *tree = forest->trees + index;
        if (tree->kind == 1 || tree->leaves > 256) {
            cf_walk_rows(forest, tree, codes, rows, leaves);
            for (size_t row = 0; row < rows; row++) cf_add_leaf(forest, tree, leaves[row], sums + row * outputs);
            continue;
        }
        cf_mask(forest, tree, codes, rows, low, path);
        if (forest->leaf_width == 1) {
            double *sum = sums + tree->output;
            if (forest->precision == CF_FLOAT) {
                const float *values = forest->leaves_float + tree->first_leaf;
                for (size_t row = 0; row < rows; row++) {
                    sum[row * outputs] = (double)((float)sum[row * outputs] + values[low[row]]);
                }
            } else {
                const double *values = forest->leaves + tree->first_leaf;
                for (size_t row = 0; row < rows; row++) sum[row * outputs] += values[low[row]];
            }
        } else {
            for (size_t row = 0; row < rows; row++) cf_add_leaf(forest, tree, low[row], sums + row * outputs);
        }
    }
}

void cf_add_one(const cf_forest *forest, size_t from, size_t to, const uint8_t *codes, double *sums) {
    uint32_t leaves[cf_side];
    for (size_t first = from; first < to; first += cf_side) {
        const size_t count = to - first < cf_side ? to - first : cf_side;
        cf_walk_trees(forest, forest->trees + first, count, codes, leaves);
        for (size_t i = 0; i < count; i++) cf_add_leaf(forest, forest->trees + first + i, leaves[i], sums);
    }
}
