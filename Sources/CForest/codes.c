// From values to codes.
#include "internal.h"

static inline int cf_is_missing(double value, uint8_t missing) {
    if (missing == CF_MISSING_NONE) return 0;
    if (isnan(value)) return 1;
    return missing == CF_MISSING_ZERO && value <= cf_zero && value >= -cf_zero;
}

// A feature as the library compares it.
static inline double cf_value(const cf_forest *forest, double value) {
    if (forest->precision != CF_DOUBLE) value = (double)(float)value;
    if (forest->zeroes_tiny && value <= cf_zero && value >= -cf_zero) value = 0;
    return value;
}

// How many of `count` sorted thresholds are below `value` (or equal to it, where that counts).
static inline uint32_t cf_rank(const double *table, uint32_t padded, uint32_t count, int counts_equal, double value) {
    const double *at = table;
    uint32_t half = (padded + 1) / 2;
    if (counts_equal) {
        for (; half > 0; half /= 2) at += at[half - 1] <= value ? half : 0;
    } else {
        for (; half > 0; half /= 2) at += at[half - 1] < value ? half : 0;
    }
    uint32_t rank = (uint32_t)(at - table);
    // An infinite value is not below the padding.
    return rank < count ? rank : count;
}

static inline uint8_t cf_code(uint32_t rank, const cf_column *column) {
    if (rank <= column->base) return 0;
    uint32_t above = rank - column->base;
    return above < 255 ? (uint8_t)above : 255;
}

static inline uint8_t cf_predicate_code(const cf_forest *forest, const cf_predicate *predicate, double value) {
    if (cf_is_missing(value, predicate->missing)) return predicate->default_left ? 0 : 1;
    if (predicate->kind == CF_EQUAL) {
        if (isnan(value)) value = 0;
        return value == predicate->value ? 0 : 1;
    }
    // Also false for NaN.
    double least = predicate->kind == CF_IS_IN_TRUNCATED ? -1 : 0;
    if (!(value < 2147483648.0 && (value > least || value == 0))) return 1;
    uint32_t category = (uint32_t)(int32_t)value;
    if (category / 32 >= predicate->words) return 1;
    return (forest->words[predicate->first_word + category / 32] >> (category % 32)) & 1 ? 0 : 1;
}

void cf_ranks_portable(
    const double *table, uint32_t padded, uint32_t count, int counts_equal, const double *values, uint32_t *ranks
) {
    // Searches side by side, so that they do not wait for one another's loads.
    enum { side = 8 };
    for (size_t row = 0; row < CF_BLOCK; row += side) {
        uint32_t at[side] = {0};
        for (uint32_t half = (padded + 1) / 2; half > 0; half /= 2) {
            if (counts_equal) {
                for (int i = 0; i < side; i++) at[i] += table[at[i] + half - 1] <= values[row + i] ? half : 0;
            } else {
                for (int i = 0; i < side; i++) at[i] += table[at[i] + half - 1] < values[row + i] ? half : 0;
            }
        }
        for (int i = 0; i < side; i++) ranks[row + i] = at[i] < count ? at[i] : count;
    }
}

static void cf_column_codes(
    const cf_column *column, const uint32_t *ranks, const double *values, uint8_t zero_rank_code, uint8_t *codes
) {
    if (column->base == 0) {
        for (size_t row = 0; row < CF_BLOCK; row++) codes[row] = ranks[row] < 255 ? (uint8_t)ranks[row] : 255;
    } else {
        for (size_t row = 0; row < CF_BLOCK; row++) codes[row] = cf_code(ranks[row], column);
    }
    uint8_t missing = column->default_left ? 0 : 255;
    if (column->missing == CF_MISSING_NONE) missing = zero_rank_code;
    if (column->missing == CF_MISSING_ZERO) {
        for (size_t row = 0; row < CF_BLOCK; row++) {
            double value = values[row];
            codes[row] = !(value > cf_zero || value < -cf_zero) ? missing : codes[row];
        }
    } else {
        for (size_t row = 0; row < CF_BLOCK; row++) codes[row] = values[row] != values[row] ? missing : codes[row];
    }
}

static void cf_gather(const cf_forest *forest, const double *features, size_t stride, size_t rows, uint32_t feature, double *values) {
    const double *from = features + feature;
    for (size_t row = 0; row < rows; row++) values[row] = cf_value(forest, from[row * stride]);
    for (size_t row = rows; row < CF_BLOCK; row++) values[row] = 0;
}

void cf_members_portable(const uint32_t *words, const uint8_t *categories, uint8_t *codes) {
    for (size_t row = 0; row < CF_BLOCK; row++) {
        codes[row] = (uint8_t)(~(words[categories[row] / 32] >> (categories[row] % 32)) & 1);
    }
}

// Whether a predicate's set can be looked up by bytes: no category in it is cut off.
static inline int cf_is_small_set(const cf_forest *forest, const cf_predicate *predicate) {
    return predicate->kind != CF_EQUAL && predicate->words == CF_SMALL_SET_WORDS && predicate->missing != CF_MISSING_ZERO
           && forest->words[predicate->first_word + CF_SMALL_SET_WORDS - 1] >> 31 == 0;
}

static inline uint8_t cf_category(double value, double least) {
    return value < CF_NO_CATEGORY && (value > least || value == 0) ? (uint8_t)value : CF_NO_CATEGORY;
}

static void cf_predicate_codes(
    const cf_forest *forest, const double *features, size_t stride, size_t rows, uint8_t *codes, int path
) {
    double values[CF_BLOCK];
    uint8_t categories[CF_BLOCK];
    for (uint32_t index = 0; index < forest->predicate_count; index++) {
        const cf_predicate *predicate = forest->predicates + index;
        if (index == 0 || predicate->feature != predicate[-1].feature || predicate->kind != predicate[-1].kind) {
            cf_gather(forest, features, stride, rows, predicate->feature, values);
            const double least = predicate->kind == CF_IS_IN_TRUNCATED ? -1 : 0;
            for (size_t row = 0; row < CF_BLOCK; row++) categories[row] = cf_category(values[row], least);
        }
        uint8_t *out = codes + (size_t)predicate->column * CF_BLOCK;
        if (cf_is_small_set(forest, predicate)) {
            const uint32_t *words = forest->words + predicate->first_word;
#if defined(__x86_64__)
            if (path == CF_AVX512) {
                cf_members_avx512(words, categories, out);
            } else
#endif
                cf_members_portable(words, categories, out);
            if (predicate->missing == CF_MISSING_NAN && predicate->default_left) {
                for (size_t row = 0; row < CF_BLOCK; row++) out[row] = values[row] != values[row] ? 0 : out[row];
            }
        } else if (predicate->kind == CF_EQUAL && predicate->missing == CF_MISSING_NAN) {
            const uint8_t missing = predicate->default_left ? 0 : 1;
            for (size_t row = 0; row < CF_BLOCK; row++) {
                const double value = values[row];
                out[row] = value != value ? missing : value != predicate->value;
            }
        } else {
            for (size_t row = 0; row < CF_BLOCK; row++) out[row] = cf_predicate_code(forest, predicate, values[row]);
        }
    }
}

void cf_codes(const cf_forest *forest, const double *features, size_t stride, size_t rows, uint8_t *codes, int path) {
    double values[CF_BLOCK];
    uint32_t ranks[CF_BLOCK];
    for (uint32_t index = 0; index < forest->table_count; index++) {
        const cf_table *table = forest->tables + index;
        const double *thresholds = forest->thresholds + table->first_threshold;
        cf_gather(forest, features, stride, rows, table->feature, values);
#if defined(__x86_64__)
        if (path == CF_AVX512) {
            cf_ranks_avx512(thresholds, table->padded, table->count, (int)table->counts_equal, values, ranks);
        } else
#endif
            cf_ranks_portable(thresholds, table->padded, table->count, (int)table->counts_equal, values, ranks);
        uint32_t zero = cf_rank(thresholds, table->padded, table->count, (int)table->counts_equal, 0);
        for (uint32_t column = table->first_column; column < table->first_column + table->columns; column++) {
            const cf_column *way = forest->columns + column;
            cf_column_codes(way, ranks, values, cf_code(zero, way), codes + (size_t)column * CF_BLOCK);
        }
    }
    cf_predicate_codes(forest, features, stride, rows, codes, path);
}

void cf_codes_one(const cf_forest *forest, const double *features, uint8_t *codes) {
    for (uint32_t index = 0; index < forest->table_count; index++) {
        const cf_table *table = forest->tables + index;
        double value = cf_value(forest, features[table->feature]);
        uint32_t rank = cf_rank(
            forest->thresholds + table->first_threshold, table->padded, table->count, (int)table->counts_equal, isnan(value) ? 0 : value);
        for (uint32_t column = table->first_column; column < table->first_column + table->columns; column++) {
            const cf_column *way = forest->columns + column;
            codes[column] = cf_is_missing(value, way->missing) ? (way->default_left ? 0 : 255) : cf_code(rank, way);
        }
    }
    uint8_t category = CF_NO_CATEGORY;
    double value = 0;
    for (uint32_t index = 0; index < forest->predicate_count; index++) {
        const cf_predicate *predicate = forest->predicates + index;
        if (index == 0 || predicate->feature != predicate[-1].feature || predicate->kind != predicate[-1].kind) {
            value = cf_value(forest, features[predicate->feature]);
            category = cf_category(value, predicate->kind == CF_IS_IN_TRUNCATED ? -1 : 0);
        }
        if (!isnan(value) && cf_is_small_set(forest, predicate)) {
            const uint32_t word = forest->words[predicate->first_word + category / 32];
            codes[predicate->column] = (uint8_t)(~(word >> (category % 32)) & 1);
        } else {
            codes[predicate->column] = cf_predicate_code(forest, predicate, value);
        }
    }
}
