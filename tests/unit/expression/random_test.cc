// Random conditions, printed, parsed and evaluated, against an evaluator that walks the tree as it
// was made.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <memory>
#include <random>

#include "conditions.h"

namespace rollup::expression {
namespace {

// A number (op one of "1" "r" "neg" + - * /) or a truth (a comparison, and, or, not).
struct Tree {
  std::string op;
  double number = 0;
  std::size_t reference = 0;
  std::unique_ptr<Tree> left;
  std::unique_ptr<Tree> right;
};

constexpr std::array<const char*, 4> kReferences = {"value", "a.avg(5m)", "\"b-1\".age",
                                                    "count(90s)"};

class Forest {
 public:
  explicit Forest(std::uint64_t seed) : random_(seed) {}

  std::unique_ptr<Tree> truth(int depth) {
    auto tree = std::make_unique<Tree>();
    const std::uint64_t choice = depth <= 0 ? 3 : random_() % 5;
    if (choice < 2) {
      tree->op = choice == 0 ? "and" : "or";
      tree->left = truth(depth - 1);
      tree->right = truth(depth - 1);
    } else if (choice == 2) {
      tree->op = "not";
      tree->left = truth(depth - 1);
    } else {
      constexpr std::array<const char*, 6> kOps = {"<", "<=", ">", ">=", "==", "!="};
      tree->op = kOps.at(random_() % kOps.size());
      tree->left = number(depth - 1);
      tree->right = number(depth - 1);
    }
    return tree;
  }

  std::unique_ptr<Tree> number(int depth) {
    auto tree = std::make_unique<Tree>();
    const std::uint64_t choice = depth <= 0 ? random_() % 2 : random_() % 7;
    if (choice == 0) {
      tree->op = "1";
      tree->number = static_cast<double>(random_() % 5);
    } else if (choice == 1) {
      tree->op = "r";
      tree->reference = random_() % kReferences.size();
    } else if (choice == 2) {
      tree->op = "neg";
      tree->left = number(depth - 1);
    } else {
      constexpr std::array<const char*, 4> kOps = {"+", "-", "*", "/"};
      tree->op = kOps.at(choice - 3);
      tree->left = number(depth - 1);
      tree->right = number(depth - 1);
    }
    return tree;
  }

  bool coin() { return random_() % 4 == 0; }
  std::optional<double> reading() {
    return random_() % 6 == 0 ? std::nullopt
                              : std::optional(static_cast<double>(random_() % 9) - 4);
  }

 private:
  std::mt19937_64 random_;
};

// How tightly a node binds; a child that binds less needs parentheses.
int binding(const Tree& tree) {
  if (tree.op == "or") return 1;
  if (tree.op == "and") return 2;
  if (tree.op == "not") return 3;
  if (tree.op == "+" || tree.op == "-") return 5;
  if (tree.op == "*" || tree.op == "/") return 6;
  if (tree.op == "1" || tree.op == "r" || tree.op == "neg") return 7;
  return 4;
}

// As few parentheses as the precedence allows, and now and then one more.
std::string print(const Tree& tree, int at_least, Forest& forest) {
  const int own = binding(tree);
  std::string text;
  if (tree.op == "1") {
    text = std::to_string(static_cast<int>(tree.number));
  } else if (tree.op == "r") {
    text = kReferences.at(tree.reference);
  } else if (tree.op == "neg") {
    text = "-" + print(*tree.left, 7, forest);
  } else if (tree.op == "not") {
    text = "not " + print(*tree.left, 4, forest);
  } else {
    // Operators of one level group to the left; comparisons do not chain.
    text = print(*tree.left, own == 4 ? 5 : own, forest) + " " + tree.op + " " +
           print(*tree.right, own + 1, forest);
  }
  return own < at_least || forest.coin() ? "(" + text + ")" : text;
}

using Values = std::array<std::optional<double>, kReferences.size()>;

std::optional<double> naive_number(const Tree& tree, const Values& values) {
  if (tree.op == "1") return tree.number;
  if (tree.op == "r") return values.at(tree.reference);
  const std::optional<double> left = naive_number(*tree.left, values);
  if (tree.op == "neg") return left ? std::optional(-*left) : std::nullopt;
  const std::optional<double> right = naive_number(*tree.right, values);
  if (!left || !right) return std::nullopt;
  if (tree.op == "+") return *left + *right;
  if (tree.op == "-") return *left - *right;
  if (tree.op == "*") return *left * *right;
  return *right == 0 ? std::nullopt : std::optional(*left / *right);
}

Truth naive_truth(const Tree& tree, const Values& values) {
  const auto is = [](bool yes) { return yes ? Truth::yes : Truth::no; };
  if (tree.op == "and" || tree.op == "or" || tree.op == "not") {
    const Truth left = naive_truth(*tree.left, values);
    if (tree.op == "not") {
      return left == Truth::unknown ? left : is(left == Truth::no);
    }
    const Truth right = naive_truth(*tree.right, values);
    const Truth decides = is(tree.op == "or");
    if (left == decides || right == decides) return decides;
    return left == Truth::unknown || right == Truth::unknown ? Truth::unknown : left;
  }
  const std::optional<double> left = naive_number(*tree.left, values);
  const std::optional<double> right = naive_number(*tree.right, values);
  if (!left || !right) return Truth::unknown;
  if (tree.op == "<") return is(*left < *right);
  if (tree.op == "<=") return is(*left <= *right);
  if (tree.op == ">") return is(*left > *right);
  if (tree.op == ">=") return is(*left >= *right);
  return is((tree.op == "==") == (*left == *right));
}

TEST(RandomConditionTest, AgreesWithANaiveEvaluator) {
  std::array<int, 3> seen{};
  for (std::uint64_t seed = 1; seed <= 3'000; ++seed) {
    Forest forest(seed);
    const std::unique_ptr<Tree> tree = forest.truth(4);
    const std::string text = print(*tree, 1, forest);
    const Condition condition = parsed(text);
    for (int round = 0; round < 5; ++round) {
      Values values;
      for (std::optional<double>& value : values) {
        value = forest.reading();
      }
      std::vector<Reading> read;
      for (const Reference& reference : condition.references()) {
        const std::size_t index =
            reference.function == Function::value                                                ? 0
            : reference.function == Function::over_time && reference.statistic == Statistic::avg ? 1
            : reference.function == Function::age                                                ? 2
                                                  : 3;
        read.push_back({.value = values.at(index), .slope = 0});
      }
      const Truth expected = naive_truth(*tree, values);
      ASSERT_EQ(condition.evaluate(read).truth, expected) << "seed=" << seed << " " << text;
      ++seen.at(static_cast<std::size_t>(expected));
    }
  }
  for (const int count : seen) {
    EXPECT_GT(count, 500);
  }
}

// Hostile text: whatever is cut from or put into a condition, parse() answers.
TEST(RandomConditionTest, DamagedConditionsAreRefusedOrMeanSomething) {
  int refused = 0;
  for (std::uint64_t seed = 1; seed <= 3'000; ++seed) {
    Forest forest(seed);
    std::string text = print(*forest.truth(3), 1, forest);
    std::mt19937_64 random(seed);
    for (int i = 0; i < 3; ++i) {
      const std::size_t at = random() % (text.size() + 1);
      if (random() % 2 == 0) {
        text.insert(at, 1, static_cast<char>(random() % 256));
      } else if (at < text.size()) {
        text.erase(at, 1 + random() % 4);
      }
    }
    const Result<Condition> condition = Condition::parse(text);
    if (!condition) {
      EXPECT_FALSE(condition.error().message.empty());
      ++refused;
      continue;
    }
    const std::vector<Reading> read(condition->references().size(), Reading{1.0, 1.0});
    const Outcome outcome = condition->evaluate(read);
    EXPECT_TRUE(!outcome.next_change || *outcome.next_change >= Duration{1}) << text;
  }
  EXPECT_GT(refused, 1'000);
}

}  // namespace
}  // namespace rollup::expression
