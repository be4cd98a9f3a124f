#include "CRocksDBExtras.h"

#include <rocksdb/iterator.h>

#include <cstring>

// c.h hands out its iterators as a struct around one pointer (db/c.cc of 7.8: `struct rocksdb_iterator_t { Iterator* rep; }`).
// RocksDBTests/CursorTests drives every function below, so a library with another layout does not pass.
struct rocksdb_iterator_t {
    rocksdb::Iterator *rep;
};

// Whether `a` comes before `b`, byte by byte: what Slice::compare says, without a call, for keys of a few words.
static inline bool comes_before(const rocksdb::Slice &a, const rocksdb::Slice &b) {
    const size_t length = a.size() < b.size() ? a.size() : b.size();
    size_t at = 0;
    for (; at + 8 <= length; at += 8) {
        uint64_t x, y;
        std::memcpy(&x, a.data() + at, 8);
        std::memcpy(&y, b.data() + at, 8);
        if (x != y) return __builtin_bswap64(x) < __builtin_bswap64(y);
    }
    for (; at < length; at++) {
        if (a[at] != b[at]) return static_cast<unsigned char>(a[at]) < static_cast<unsigned char>(b[at]);
    }
    return a.size() < b.size();
}

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
    while (comes_before(rep->key(), target)) {
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
