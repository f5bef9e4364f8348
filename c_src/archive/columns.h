// Columns of whole numbers and of doubles as bytes, made small by what neighbours have in common.
//
// Whole numbers are written as differences (zigzag, varint), doubles as whole numbers where a power
// of ten makes all of them whole (sensors send 21.37), else as what differs from the one before.
// All arithmetic on whole numbers is modulo 2^64, so every value comes back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace rollup::archive {

// A column of whole numbers. `order` times each value is replaced by its distance from the one
// before: 1 for values that change little, 2 for times at equal distances.
void put_integers(std::string& out, std::vector<std::uint64_t> values, int order);
// `values` keeps its size and is filled.
void take_integers(ByteReader& in, std::vector<std::uint64_t>& values, int order);

// A column of doubles: one byte that says how, then the values.
void put_doubles(std::string& out, std::span<const double> values);
void take_doubles(ByteReader& in, std::vector<double>& values);

}  // namespace rollup::archive
