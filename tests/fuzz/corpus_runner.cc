// Runs a fuzz target without libFuzzer, under any compiler:
//
//   <target> <corpus directory> <number of mutations> [<seed>]
//
// All files of the directory, then random changes of them. The seed is printed; given again it
// repeats the run. A target says "wrong" by aborting.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;
using Random = std::mt19937_64;

constexpr std::size_t kSizeMax = 4096;

// In order of names, so that a seed means the same everywhere.
std::vector<Bytes> read_corpus(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> corpus;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

std::uint8_t random_byte(Random& random) {
  // Bytes that formats give a meaning to come up as often as all others together.
  static constexpr char kTelling[] = "{}[]\",:/\\+#$-.~0123456789eE \n";
  return static_cast<std::uint8_t>(random() % 2 == 0 ? kTelling[random() % sizeof kTelling]
                                                     : static_cast<char>(random() % 256));
}

void mutate(Bytes& input, const std::vector<Bytes>& corpus, Random& random) {
  const auto place = [&] { return static_cast<std::ptrdiff_t>(random() % (input.size() + 1)); };
  const auto [begin, end] = std::minmax({place(), place()});
  const auto from = input.begin() + begin;
  const auto to = input.begin() + end;
  switch (random() % 6) {
    case 0:
      input.insert(from, random_byte(random));
      break;
    case 1:
      if (from != input.end()) {
        *from = random_byte(random);
      }
      break;
    case 2:
      if (from != input.end()) {
        *from = static_cast<std::uint8_t>(*from ^ (1U << random() % 8));
      }
      break;
    case 3:
      input.erase(from, to);
      break;
    case 4: {
      const Bytes piece(from, to);
      input.insert(input.begin() + place(), piece.begin(), piece.end());
      break;
    }
    default: {
      const Bytes& other = corpus[random() % corpus.size()];
      const std::size_t start = random() % (other.size() + 1);
      const std::size_t count = random() % (other.size() - start + 1);
      const auto first = other.begin() + static_cast<std::ptrdiff_t>(start);
      input.insert(from, first, first + static_cast<std::ptrdiff_t>(count));
    }
  }
  input.resize(std::min(input.size(), kSizeMax));
}

void run(const Bytes& input) {
  // A block of exactly this size, so that a sanitizer sees every read beyond it.
  const Bytes exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count < 3) {
    std::fprintf(stderr, "usage: %s <corpus directory> <number of mutations> [<seed>]\n",
                 arguments[0]);
    return 2;
  }
  const std::vector<Bytes> corpus = read_corpus(arguments[1]);
  if (corpus.empty()) {
    std::fprintf(stderr, "%s: no files in %s\n", arguments[0], arguments[1]);
    return 2;
  }
  const unsigned long mutations = std::strtoul(arguments[2], nullptr, 10);
  const std::uint64_t seed =
      argument_count > 3 ? std::strtoull(arguments[3], nullptr, 10) : std::random_device{}();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  run({});
  for (const Bytes& input : corpus) {
    run(input);
  }
  Random random(seed);
  for (unsigned long i = 0; i < mutations; ++i) {
    Bytes input = corpus[random() % corpus.size()];
    for (std::size_t changes = 1 + random() % 8; changes > 0; --changes) {
      mutate(input, corpus, random);
    }
    run(input);
  }
  std::printf("%zu files and %lu mutations\n", corpus.size(), mutations);
  return 0;
}
