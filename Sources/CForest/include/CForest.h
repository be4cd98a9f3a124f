// A forest of decision trees, packed, and the walks over it.
//
// Every rule is made a comparison of two bytes. A *column* holds, for each row, the rank of a feature's value among the thresholds
// that the forest compares it with (at most 255 of them a column); what is missing has got the rank that sends it to its side, so
// that there is one column for each way in which missing values are treated. Equalities and sets of categories have columns of
// their own, 0 where they hold and 1 where not. A row goes left when its code is at most the split's. This is exact: the order of
// doubles is not rounded, only counted.
//
// Batches go through trees of up to 256 leaves split by split, 64 rows in a register, each with the number of the leftmost leaf that
// it can still reach; single rows, and larger trees, are walked, several trees (or rows) at once.
//
// All functions are pure: they read the forest and write only into the memory that they are given.
#ifndef CFOREST_H
#define CFOREST_H

#include <stddef.h>
#include <stdint.h>

// Rows of a block: codes of a column are this many bytes apart.
enum { CF_BLOCK = 256 };
// Sets of categories have at least this many words; those of just as many are looked up 64 rows at a time.
enum { CF_SMALL_SET_WORDS = 8 };

enum { CF_MISSING_NAN = 0, CF_MISSING_NONE = 1, CF_MISSING_ZERO = 2 };
enum { CF_EQUAL = 0, CF_IS_IN = 1, CF_IS_IN_TRUNCATED = 2 };
enum { CF_DOUBLE = 0, CF_FLOAT = 1, CF_FLOAT_FEATURES = 2 };

// A node of a walk. Children are neighbours; `child` counts from the tree's first node. A leaf is its own child.
typedef struct {
    uint32_t child;
    // The column, shifted left by 8, and the code up to which a row goes left; 255 for a leaf, where every row stays.
    uint32_t rule;
} cf_node;

// A split in the order of a depth-first walk, left first, for trees of at most 256 leaves (leaves numbered from left to right).
typedef struct {
    uint32_t rule;
    // The first leaf below it, and the first one right of it.
    uint8_t low, high;
    uint16_t unused;
} cf_split;

// A symmetric tree has one split a level in the same array: bit i of the leaf is set where the code is above the split's.
typedef struct {
    uint32_t first_node, first_split, first_leaf, leaves;
    uint32_t depth;
    uint32_t output;
    // 0: splits to go through; 1: to be walked only; 2: symmetric.
    uint32_t kind;
    uint32_t splits;
} cf_tree;

// Sorted thresholds of one feature, without repetitions, padded with infinity to a power of two less one.
typedef struct {
    uint32_t feature;
    uint32_t first_threshold, count, padded;
    uint32_t first_column, columns;
    // Whether equal thresholds count as below the value (`x < t` goes left) or not (`x <= t`).
    uint32_t counts_equal;
} cf_table;

typedef struct {
    // The rank that becomes code 0.
    uint32_t base;
    uint8_t missing, default_left;
    uint16_t unused;
} cf_column;

// Predicates of one feature and kind stand together.
typedef struct {
    double value;
    uint32_t feature, column;
    uint32_t first_word, words;
    uint8_t kind, missing, default_left, unused;
} cf_predicate;

typedef struct {
    const cf_node *nodes;
    // The leaf of a node, from left to right in its tree; meaningless for splits.
    const uint32_t *node_leaves;
    const cf_split *splits;
    const cf_tree *trees;
    const double *leaves;
    const float *leaves_float;
    const double *thresholds;
    const cf_table *tables;
    const cf_column *columns;
    const cf_predicate *predicates;
    const uint32_t *words;
    uint32_t tree_count, table_count, predicate_count, column_count;
    uint32_t precision, outputs, leaf_width, features;
    // Whether values of a magnitude of at most 1e-35 are taken for 0.
    uint32_t zeroes_tiny;
} cf_forest;

// Which instructions the walks use. Portable code is always there; tests force it.
enum { CF_PORTABLE = 0, CF_AVX2 = 1, CF_AVX512 = 2 };
// The best that this processor has.
int cf_best_path(void);

// Codes of `rows` <= CF_BLOCK rows of doubles, `stride` apart: `codes[column * CF_BLOCK + row]`. All CF_BLOCK bytes of a column are
// written. `ranks` has room for CF_BLOCK numbers.
void cf_codes(const cf_forest *forest, const double *features, size_t stride, size_t rows, uint8_t *codes, int path);

// The codes of one row, one behind the other.
void cf_codes_one(const cf_forest *forest, const double *features, uint8_t *codes);

// The leaf of each row of a block in one tree, from left to right.
void cf_tree_leaves(const cf_forest *forest, const cf_tree *tree, const uint8_t *codes, size_t rows, uint32_t *leaves, int path);

// The leaves of one row in the trees `from ..< to`.
void cf_leaves_one(const cf_forest *forest, size_t from, size_t to, const uint8_t *codes, uint32_t *leaves);

// Adds the leaves of the trees `from ..< to` to the sums of a block: `sums[row * outputs + output]`, in tree order.
void cf_add(const cf_forest *forest, size_t from, size_t to, const uint8_t *codes, size_t rows, double *sums, int path);

// The same for one row.
void cf_add_one(const cf_forest *forest, size_t from, size_t to, const uint8_t *codes, double *sums);

// One node of a tree as contributions go through it: depth-first, the root first.
typedef struct {
    // The cover of the node through that of its parent, times the same of each node above it that was reached by a split on the same
    // feature.
    double share;
    // Its parent, and the nearest node above that was reached by a split on the same feature (0, the root, for none); by place.
    uint32_t parent, same;
    // The parent's rule and feature, and whether this is its right child.
    uint32_t rule, feature;
    uint32_t is_right;
    // The leaf, from left to right in the tree, or UINT32_MAX.
    uint32_t leaf;
} cf_step;

// Points and weights of a quadrature, in groups of this many.
enum { CF_LANES = 8 };

// Adds the Shapley values of one tree to `contributions`, one for each feature. `points` and `weights` are those of a Gauss-Legendre
// quadrature over [0, 1], `groups * CF_LANES` of them, exact for polynomials of a degree of the number of different features on any path,
// less one. `scratch` has room for `steps * (2 * CF_LANES + 1)` doubles, aligned to 64 bytes.
void cf_contributions(
    const cf_step *steps, uint32_t count, const double *leaves, const uint8_t *codes, const double *points, const double *weights,
    uint32_t groups, double *scratch, double *contributions, int path);

#endif
