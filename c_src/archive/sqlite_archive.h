// The archive as one SQLite database, `archive.db` (docs/formats/archive.md).
//
// The newest block of a series and tier is written again, longer, until it has its full number of
// entries; then the next one begins. So all blocks but the newest are full, however slowly a series
// gets its values.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "archive/archive.h"
#include "archive/retention.h"
#include "archive/sqlite.h"

namespace rollup::archive {

class SqliteArchive final : public Archive {
 public:
  struct Opened {
    std::unique_ptr<SqliteArchive> archive;
    // What the operator must know: a file that was moved aside, what of it was saved.
    std::vector<std::string> told;
  };
  // Opens `path` or makes it. A file whose content is damaged, or of another program or a newer
  // version, is moved aside; what can be read of a damaged one is written to the new one. What is
  // no fault of the file (rights, a full disk) is an error, and the file stays.
  static Result<Opened> open(const std::string& path);

  Result<void> write(std::span<const SealedRun> runs) override;
  Result<void> read(const SeriesKey& key, Tier tier, Time from, Time to,
                    const std::function<bool(const Bucket&)>& each) override;
  Result<void> read(const SeriesKey& key, Time from, Time to,
                    const std::function<bool(const Point&)>& each) override;
  Result<Time> newest(const SeriesKey& key, Tier tier) override;
  Result<bool> expire(Time now, const std::function<Keep(const SeriesKey&)>& keep) override;
  Counts counts() const override;

 private:
  SqliteArchive(std::string path, std::unique_ptr<Connection> connection)
      : path_(std::move(path)), connection_(std::move(connection)), retention_(*connection_) {}
  // One try. `is_content_bad`: the file may be moved aside.
  static Result<std::unique_ptr<SqliteArchive>> open_file(const std::string& path,
                                                          bool& is_content_bad);

  Result<void> prepare();
  // Nothing: there is no such series.
  Result<std::optional<std::int64_t>> find(const SeriesKey& key);
  Result<std::int64_t> find_or_add(const SeriesKey& key);
  Result<void> write_run(const SealedRun& run);
  template <class Entry>
  Result<void> write_tail(std::int64_t series, Tier tier, std::span<const Entry> tail);
  template <class Entry>
  Result<void> write_block(std::int64_t series, Tier tier, std::int64_t id,
                           std::span<const Entry> entries);
  template <class Entry>
  Result<void> read_blocks(const SeriesKey& key, Tier tier, Time from, Time to,
                           const std::function<bool(const Entry&)>& each);

  std::string path_;
  std::unique_ptr<Connection> connection_;
  Retention retention_;
  Statement find_series_;
  Statement add_series_;
  Statement newest_;
  Statement insert_;
  Statement update_;
  Statement range_;
  std::uint64_t damaged_ = 0;
};

}  // namespace rollup::archive
