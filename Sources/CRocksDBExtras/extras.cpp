#include "CRocksDBExtras.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/iterator.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table.h>
#include <rocksdb/table_properties.h>

#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

// c.h hands out its objects as structs around one pointer (db/c.cc of 7.8: `struct rocksdb_iterator_t { Iterator* rep; }`).
// RocksDBTests drive every function below, so a library with another layout does not pass.
struct rocksdb_t {
    rocksdb::DB *rep;
};
struct rocksdb_column_family_handle_t {
    rocksdb::ColumnFamilyHandle *rep;
};
struct rocksdb_logger_t {
    std::shared_ptr<rocksdb::Logger> rep;
};
struct rocksdb_iterator_t {
    rocksdb::Iterator *rep;
};
struct rocksdb_readoptions_t {
    rocksdb::ReadOptions rep;
};
struct extras_file_t {
    rocksdb::SstFileReader reader;
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

extern "C" char *extras_file_open(const char *path, extras_file_t **file, extras_file_properties_t *properties) {
    rocksdb::BlockBasedTableOptions table;
    // Each block is read once.
    table.no_block_cache = true;
    rocksdb::Options options;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    std::unique_ptr<extras_file_t> opened(new extras_file_t{rocksdb::SstFileReader(options)});
    const rocksdb::Status status = opened->reader.Open(path);
    if (!status.ok()) return strdup(status.ToString().c_str());
    const std::shared_ptr<const rocksdb::TableProperties> found = opened->reader.GetTableProperties();
    *properties = extras_file_properties_t{
        found->num_entries, found->num_deletions + found->num_range_deletions + found->num_merge_operands, found->raw_key_size,
        found->raw_value_size};
    *file = opened.release();
    return nullptr;
}

extern "C" rocksdb_iterator_t *extras_file_iterator(extras_file_t *file, const rocksdb_readoptions_t *options) {
    return new rocksdb_iterator_t{file->reader.NewIterator(options->rep)};
}

extern "C" void extras_file_close(extras_file_t *file) { delete file; }

extern "C" char *extras_compact_range(
    rocksdb_t *database, rocksdb_column_family_handle_t *family, const char *first, size_t first_length, const char *last,
    size_t last_length) {
    rocksdb::CompactRangeOptions options;
    // Ingested files may be there already, uncompacted and with deleted keys in them. `change_level` stays off: with it
    // RocksDB 7.8 races an ingestion and may put old data on top.
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
    const rocksdb::Slice begin(first, first_length);
    const rocksdb::Slice end(last, last_length);
    const rocksdb::Status status =
        database->rep->CompactRange(options, family->rep, first ? &begin : nullptr, last ? &end : nullptr);
    return status.ok() ? nullptr : strdup(status.ToString().c_str());
}

extern "C" char *extras_ingest(
    rocksdb_t *database, size_t families_count, rocksdb_column_family_handle_t *const *families, const char *const *paths,
    const size_t *path_counts) {
    std::vector<rocksdb::IngestExternalFileArg> arguments(families_count);
    for (size_t index = 0; index < families_count; index++) {
        rocksdb::IngestExternalFileArg &argument = arguments[index];
        argument.column_family = families[index]->rep;
        argument.external_files.assign(paths, paths + path_counts[index]);
        paths += path_counts[index];
        argument.options.move_files = true;
        argument.options.snapshot_consistency = true;
    }
    const rocksdb::Status status = database->rep->IngestExternalFiles(arguments);
    return status.ok() ? nullptr : strdup(status.ToString().c_str());
}

extern "C" char *extras_resume(rocksdb_t *database) {
    const rocksdb::Status status = database->rep->Resume();
    return status.ok() ? nullptr : strdup(status.ToString().c_str());
}

namespace {

class LossyLogger : public rocksdb::Logger {
  public:
    LossyLogger(std::string path, size_t max_bytes) : path_(std::move(path)), max_bytes_(max_bytes) { Begin(); }

    ~LossyLogger() override {
        if (file_ != nullptr) fclose(file_);
    }

    using rocksdb::Logger::Logv;
    void Logv(const char *format, va_list arguments) override {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (file_ == nullptr) return;
        timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        tm utc;
        gmtime_r(&now.tv_sec, &utc);
        char stamp[40];
        const size_t length = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
        snprintf(stamp + length, sizeof stamp - length, ".%06ldZ ", now.tv_nsec / 1000);
        fputs(stamp, file_);
        vfprintf(file_, format, arguments);
        fputc('\n', file_);
        fflush(file_);
        const long size = ftell(file_);
        if (size < 0 || static_cast<size_t>(size) >= max_bytes_) Begin();
    }

  protected:
    rocksdb::Status CloseImpl() override { return rocksdb::Status::OK(); }

  private:
    void Begin() {
        if (file_ != nullptr) fclose(file_);
        rename(path_.c_str(), (path_ + ".old").c_str());
        file_ = fopen(path_.c_str(), "we");
    }

    std::mutex mutex_;
    const std::string path_;
    const size_t max_bytes_;
    FILE *file_ = nullptr;
};

}  // namespace

extern "C" rocksdb_logger_t *extras_logger_create(const char *path, size_t max_bytes) {
    return new rocksdb_logger_t{std::make_shared<LossyLogger>(path, max_bytes)};
}

extern "C" void extras_logger_destroy(rocksdb_logger_t *logger) { delete logger; }
