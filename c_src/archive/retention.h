// Deletes old blocks, a little at a time.
//
// It goes from series to series, each one a look-up of its oldest blocks, and so never touches what
// is kept: a pass over the file costs by the number of series, not by how much history there is.
#pragma once

#include <cstdint>
#include <functional>

#include "archive/archive.h"
#include "archive/sqlite.h"
#include "base/error.h"
#include "base/time.h"

namespace rollup::archive {

class Retention {
 public:
  // The connection must have the tables, and outlive this.
  explicit Retention(Connection& connection) : connection_(connection) {}

  Result<void> prepare();

  // Goes on where the last call ended. False: the pass is finished, the next call begins anew.
  Result<bool> expire(Time now, const std::function<Keep(const SeriesKey&)>& keep);

 private:
  // Where a pass is: nothing of a series after `series` was looked at.
  struct Cursor {
    std::int64_t series = -1;
    bool is_finished = false;
  };

  Result<Cursor> advance(Cursor cursor, Time now, const std::function<Keep(const SeriesKey&)>& keep,
                         std::int64_t& deleted);
  // True: nothing more to delete of the series within what may be deleted in this call.
  Result<bool> expire_series(std::int64_t series, Time now, const Keep& keep,
                             std::int64_t& deleted);
  Result<void> give_back_pages();

  Connection& connection_;
  Cursor cursor_;
  Statement next_series_;
  Statement delete_;
};

}  // namespace rollup::archive
