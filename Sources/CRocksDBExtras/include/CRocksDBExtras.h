// What <rocksdb/c.h> of RocksDB 7.8 lacks, and nothing else.
#ifndef CROCKSDB_EXTRAS_H
#define CROCKSDB_EXTRAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rocksdb_t rocksdb_t;
typedef struct rocksdb_column_family_handle_t rocksdb_column_family_handle_t;
typedef struct rocksdb_iterator_t rocksdb_iterator_t;
typedef struct rocksdb_logger_t rocksdb_logger_t;
typedef struct rocksdb_readoptions_t rocksdb_readoptions_t;
typedef struct extras_file_t extras_file_t;

// Where an iterator stands. The bytes belong to the iterator and stay until it moves.
typedef struct {
    const char *key;
    size_t key_length;
    const char *value;
    size_t value_length;
} extras_entry_t;

// One call for what takes c.h four (move, valid, key, value). False, and no entry, where the iterator has ended;
// an error is then told by rocksdb_iter_get_error.
bool extras_iterator_next(rocksdb_iterator_t *iterator, extras_entry_t *entry);
bool extras_iterator_seek(rocksdb_iterator_t *iterator, const char *key, size_t key_length, extras_entry_t *entry);
bool extras_iterator_first(rocksdb_iterator_t *iterator, extras_entry_t *entry);

// From where it stands, moves to the first key that is not less than `key`: by up to `*steps` single steps, which are
// cheaper than a seek over a short way, then by a seek. The iterator must be valid and not stand behind `key`. `*steps` becomes
// the number of steps that were left, or -1 where it took a seek.
bool extras_iterator_advance(rocksdb_iterator_t *iterator, const char *key, size_t key_length, int *steps, extras_entry_t *entry);

// Brings an iterator that was made without a snapshot to the newest state of its column family, without building
// it anew. False on an error.
bool extras_iterator_refresh(rocksdb_iterator_t *iterator);

// What the end of a sorted file says of it. `special_entries` are deletions of keys and of ranges, and operands of merges; `key_bytes`
// counts eight bytes of RocksDB's own with each key.
typedef struct {
    uint64_t entries;
    uint64_t special_entries;
    uint64_t key_bytes;
    uint64_t value_bytes;
} extras_file_properties_t;

// Opens a sorted file by itself (SstFileReader, which c.h lacks). Null, or the text of an error, to be freed by rocksdb_free. An
// iterator over it has to be destroyed (rocksdb_iter_destroy) before the file is closed.
char *extras_file_open(const char *path, extras_file_t **file, extras_file_properties_t *properties);
rocksdb_iterator_t *extras_file_iterator(extras_file_t *file, const rocksdb_readoptions_t *options);
void extras_file_close(extras_file_t *file);

// Compacts the keys from `first` to `last` (null: from the beginning, to the end) down to the bottommost level and rewrites
// that. c.h has this too, but says nothing of errors; here the text of one is returned, to be freed by rocksdb_free.
char *extras_compact_range(
    rocksdb_t *database, rocksdb_column_family_handle_t *family, const char *first, size_t first_length, const char *last,
    size_t last_length);

// Takes files of sorted keys into several families in one step, by moving them (DB::IngestExternalFiles, which c.h lacks): `paths` are those of
// the first family, then those of the next, of each as many as `path_counts` says. Null, or the text of an error, to be freed by rocksdb_free.
char *extras_ingest(
    rocksdb_t *database, size_t families_count, rocksdb_column_family_handle_t *const *families, const char *const *paths,
    const size_t *path_counts);

// Goes on after an error in the background has stopped writes (DB::Resume). Null when writes are taken again; else the text of what still
// stands in the way, to be freed by rocksdb_free.
char *extras_resume(rocksdb_t *database);

// An information log in the file `path` that begins anew when it has `max_bytes`, the old one becoming `path`.old, and that loses lines
// when they cannot be written. RocksDB's own aborts the process (in builds with assertions, as Debian's) when the disk is
// full. For rocksdb_options_set_info_log; destroy it after that.
rocksdb_logger_t *extras_logger_create(const char *path, size_t max_bytes);
void extras_logger_destroy(rocksdb_logger_t *logger);

#ifdef __cplusplus
}
#endif

#endif
