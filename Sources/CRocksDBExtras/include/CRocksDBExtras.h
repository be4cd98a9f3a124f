// What <rocksdb/c.h> of RocksDB 7.8 lacks, and nothing else.
#ifndef CROCKSDB_EXTRAS_H
#define CROCKSDB_EXTRAS_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rocksdb_iterator_t rocksdb_iterator_t;

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

#ifdef __cplusplus
}
#endif

#endif
