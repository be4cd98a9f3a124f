#include "CRocksDBExtras.h"

#include <rocksdb/iterator.h>

// c.h hands out its iterators as a struct around one pointer (db/c.cc of 7.8: `struct rocksdb_iterator_t { Iterator* rep; }`).
// RocksDBTests/CursorTests drives every function below, so a library with another layout does not pass.
struct rocksdb_iterator_t {
    rocksdb::Iterator *rep;
};

static inline bool read_entry(rocksdb::Iterator *iterator, extras_entry_t *entry) {
    if (!iterator->Valid()) {
        *entry = extras_entry_t{nullptr, 0, nullptr, 0};
        return false;
    }
    const rocksdb::Slice key = iterator->key();
    const rocksdb::Slice value = iterator->value();
    *entry = extras_entry_t{key.data(), key.size(), value.data(), value.size()};
    return true;
}

extern "C" bool extras_iterator_next(rocksdb_iterator_t *iterator, extras_entry_t *entry) {
    iterator->rep->Next();
    return read_entry(iterator->rep, entry);
}

extern "C" bool extras_iterator_seek(rocksdb_iterator_t *iterator, const char *key, size_t key_length, extras_entry_t *entry) {
    iterator->rep->Seek(rocksdb::Slice(key, key_length));
    return read_entry(iterator->rep, entry);
}

extern "C" bool extras_iterator_first(rocksdb_iterator_t *iterator, extras_entry_t *entry) {
    iterator->rep->SeekToFirst();
    return read_entry(iterator->rep, entry);
}

extern "C" bool extras_iterator_advance(
    rocksdb_iterator_t *iterator, const char *key, size_t key_length, int *steps, extras_entry_t *entry) {
    const rocksdb::Slice target(key, key_length);
    rocksdb::Iterator *rep = iterator->rep;
    while (rep->key().compare(target) < 0) {
        if ((*steps)-- == 0) {
            rep->Seek(target);
            break;
        }
        rep->Next();
        if (!rep->Valid()) break;
    }
    return read_entry(rep, entry);
}

extern "C" bool extras_iterator_refresh(rocksdb_iterator_t *iterator) { return iterator->rep->Refresh().ok(); }
