#include "decode/payload.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rollup::decode {
namespace {

class PayloadTest : public testing::Test {
 protected:
  PayloadTest() { limits_.payload = 100'000; }

  static Stream stream(PayloadFormat format, std::vector<std::string> pointers,
                       std::string time = "") {
    Stream stream;
    stream.format = format;
    stream.time = std::move(time);
    for (std::string& pointer : pointers) {
      Field field;
      field.value = std::move(pointer);
      stream.fields.push_back(std::move(field));
    }
    return stream;
  }

  std::vector<FieldResult> decode(const Stream& stream, std::string_view payload) {
    // From the heap and without a byte to spare, so that reading past the end is found.
    const std::vector<char> exact(payload.begin(), payload.end());
    std::vector<FieldResult> results(3, FieldResult(DropReason::queue_full));
    decoder().decode(stream, std::string_view(exact.data(), exact.size()), results);
    return results;
  }

  FieldResult decode_one(const Stream& stream, std::string_view payload) {
    const auto results = decode(stream, payload);
    EXPECT_EQ(results.size(), 1U);
    return results.at(0);
  }

  // The value that `pointer` finds in the payload, or the reason.
  FieldResult at(std::string_view pointer, std::string_view payload,
                 PayloadFormat format = PayloadFormat::automatic) {
    return decode_one(stream(format, {std::string(pointer)}), payload);
  }

  PayloadDecoder& decoder() {
    if (!decoder_) {
      decoder_.emplace(limits_);
    }
    return *decoder_;
  }

  Limits limits_;

 private:
  std::optional<PayloadDecoder> decoder_;
};

void expect_value(const FieldResult& result, double value) {
  ASSERT_TRUE(std::holds_alternative<Value>(result)) << to_string(std::get<DropReason>(result));
  EXPECT_EQ(std::get<Value>(result).value, value);
}

void expect_drop(const FieldResult& result, DropReason reason) {
  ASSERT_TRUE(std::holds_alternative<DropReason>(result)) << std::get<Value>(result).value;
  EXPECT_EQ(to_string(std::get<DropReason>(result)), to_string(reason));
}

TEST_F(PayloadTest, TextIsANumberPerhapsWithAUnit) {  // SEMANTICS 2.5
  expect_value(at("", "21.5"), 21.5);
  expect_value(at("", "22.5 °C"), 22.5);
  expect_drop(at("", "1,5"), DropReason::not_a_number);
  expect_drop(at("", ""), DropReason::not_a_number);
  expect_drop(at("", "nan"), DropReason::not_a_number);
}

TEST_F(PayloadTest, AutoIsJsonIfItBeginsAsAnObjectArrayOrString) {
  expect_value(at("/t", R"( {"t":1})"), 1);
  expect_value(at("/0", "\r\n\t[2]"), 2);
  expect_value(at("", R"("3")"), 3);
  expect_drop(at("", "{"), DropReason::not_json);
  expect_drop(at("", "[1"), DropReason::not_json);
  expect_drop(at("", "\"3"), DropReason::not_json);
  expect_drop(at("", "true"), DropReason::not_a_number);
}

TEST_F(PayloadTest, FormatJsonTakesOnlyJson) {
  expect_value(at("", "21.5", PayloadFormat::json), 21.5);
  expect_value(at("", " true ", PayloadFormat::json), 1);
  expect_drop(at("", "21.5 °C", PayloadFormat::json), DropReason::not_json);
  expect_drop(at("", "", PayloadFormat::json), DropReason::not_json);
  expect_drop(at("", "  ", PayloadFormat::json), DropReason::not_json);
  expect_drop(at("", "NaN", PayloadFormat::json), DropReason::not_json);
}

TEST_F(PayloadTest, FormatTextReadsNoJson) {
  expect_drop(at("", R"({"t":1})", PayloadFormat::text), DropReason::not_a_number);
  expect_value(at("", "5", PayloadFormat::text), 5);
}

TEST_F(PayloadTest, APointerIntoTextFindsNothing) {
  expect_drop(at("/t", "21.5"), DropReason::no_such_field);
  expect_drop(at("/t", "21.5", PayloadFormat::json), DropReason::no_such_field);
}

TEST_F(PayloadTest, JsonNumbersOfAllKindsAreDoubles) {  // SEMANTICS 2.5
  expect_value(at("v", R"({"v":-3})"), -3);
  expect_value(at("v", R"({"v":1e3})"), 1000);
  expect_value(at("v", R"({"v":9007199254740991})"), 9007199254740991.0);
  expect_value(at("v", R"({"v":-9007199254740991})"), -9007199254740991.0);
  expect_value(at("v", R"({"v":18446744073709551615})"), 18446744073709551616.0);
  expect_drop(at("v", R"({"v":1e999})"), DropReason::not_a_number);
}

TEST_F(PayloadTest, JsonBooleansAreOneAndZeroAndStringsAreText) {  // SEMANTICS 2.5
  expect_value(at("v", R"({"v":true})"), 1);
  expect_value(at("v", R"({"v":false})"), 0);
  expect_value(at("v", R"({"v":"21.5"})"), 21.5);
  expect_value(at("v", R"({"v":" 22.5 \u00b0C"})"), 22.5);
  expect_drop(at("v", R"({"v":"ON"})"), DropReason::not_a_number);
  expect_drop(at("v", R"({"v":"5\u0000"})"), DropReason::not_a_number);
  expect_drop(at("v", R"({"v":""})"), DropReason::not_a_number);
}

TEST_F(PayloadTest, NullObjectsAndArraysAreNoNumbers) {
  expect_drop(at("v", R"({"v":null})"), DropReason::not_a_number);
  expect_drop(at("v", R"({"v":{"x":1}})"), DropReason::not_a_number);
  expect_drop(at("v", R"({"v":[1]})"), DropReason::not_a_number);
  expect_drop(at("", R"({"v":1})"), DropReason::not_a_number);
}

TEST_F(PayloadTest, PointersFollowRfc6901) {
  const std::string document =
      R"({"foo":["bar",7],"":0,"a/b":1,"c%d":2,"m~n":8,"~1":9,"k":{"":{"x":5}},"01":6,"ü":4})";
  expect_value(at("/foo/1", document), 7);
  expect_value(at("/", document), 0);
  expect_value(at("/a~1b", document), 1);
  expect_value(at("/c%d", document), 2);
  expect_value(at("/m~0n", document), 8);
  expect_value(at("/~01", document), 9);
  expect_value(at("/k//x", document), 5);
  expect_value(at("/01", document), 6);
  expect_value(at("/ü", document), 4);
  expect_value(at("k//x", document), 5);
  expect_value(at("foo/1", document), 7);
}

TEST_F(PayloadTest, APointerThatFindsNothingSaysSo) {
  const std::string document = R"({"foo":["bar",7],"a/b":1,"m~n":8,"x":{"y":1}})";
  for (const char* pointer :
       {"/fo",     "/fooo",   "/foo/2", "/foo/01",  "/foo/-",
        "/foo/-1", "/foo/+1", "/foo/",  "/foo/1/0", "/foo/99999999999999999999",
        "/foo/1x", "/a/b",    "/m~n",   "/m~",      "/m~2n",
        "/m~0",    "/x/y/z",  "/x/",    "//x",      "/"}) {
    expect_drop(at(pointer, document), DropReason::no_such_field);
  }
  expect_drop(at("v", "{}"), DropReason::no_such_field);
  expect_drop(at("/0", "[]"), DropReason::no_such_field);
}

TEST_F(PayloadTest, FieldsAreAnsweredInOrderAndOneByOne) {
  const auto results =
      decode(stream(PayloadFormat::automatic, {"b", "x", "a", "c"}), R"({"a":1,"b":2,"c":null})");
  ASSERT_EQ(results.size(), 4U);
  expect_value(results[0], 2);
  expect_drop(results[1], DropReason::no_such_field);
  expect_value(results[2], 1);
  expect_drop(results[3], DropReason::not_a_number);
}

TEST_F(PayloadTest, AMistakeInTheDocumentHoldsForAllFields) {
  const auto results = decode(stream(PayloadFormat::automatic, {"a", "b"}), R"({"a":1,"b":})");
  ASSERT_EQ(results.size(), 2U);
  expect_drop(results[0], DropReason::not_json);
  expect_drop(results[1], DropReason::not_json);
}

TEST_F(PayloadTest, ValuesAreScaledAndThenChecked) {
  Stream scaled = stream(PayloadFormat::automatic, {""});
  scaled.fields[0].scale = 0.1;
  scaled.fields[0].offset = -40;
  scaled.fields[0].valid_low = -20;
  scaled.fields[0].valid_high = 60;
  expect_value(decode_one(scaled, "650"), 650 * 0.1 - 40);
  expect_value(decode_one(scaled, "200"), -20);
  expect_value(decode_one(scaled, "1000"), 60);
  expect_drop(decode_one(scaled, "199"), DropReason::out_of_range);
  expect_drop(decode_one(scaled, "1001"), DropReason::out_of_range);
  expect_drop(decode_one(scaled, "21x5"), DropReason::not_a_number);
}

TEST_F(PayloadTest, ValidMayBeBoundedOnOneSideOnly) {
  Stream bounded = stream(PayloadFormat::automatic, {""});
  bounded.fields[0].valid_low = 0;
  expect_value(decode_one(bounded, "1e300"), 1e300);
  expect_drop(decode_one(bounded, "-0.001"), DropReason::out_of_range);
}

TEST_F(PayloadTest, AScaledValueThatOverflowsIsNoNumber) {  // SEMANTICS 2.5
  Stream scaled = stream(PayloadFormat::automatic, {""});
  scaled.fields[0].scale = 1e10;
  expect_drop(decode_one(scaled, "1e300"), DropReason::not_a_number);
}

TEST_F(PayloadTest, EventTimesGoWithEveryValue) {  // SEMANTICS 1.1
  for (const char* time : {"1775304180.5", "1775304180500", "\"2026-04-04T12:03:00.5Z\"",
                           "\"1775304180.5\"", "1775304180500000", "1775304180500000000"}) {
    const auto results = decode(stream(PayloadFormat::automatic, {"a", "b"}, "/at"),
                                std::string(R"({"a":1,"b":2,"at":)") + time + "}");
    ASSERT_EQ(results.size(), 2U);
    for (const FieldResult& result : results) {
      ASSERT_TRUE(std::holds_alternative<Value>(result)) << time;
      EXPECT_EQ(std::get<Value>(result).event_time, time_from_ms(1'775'304'180'500)) << time;
    }
  }
}

TEST_F(PayloadTest, WithoutATimePointerThereIsNoEventTime) {
  const FieldResult result = at("a", R"({"a":1,"time":1775304180})");
  expect_value(result, 1);
  EXPECT_EQ(std::get<Value>(result).event_time, std::nullopt);
}

TEST_F(PayloadTest, ABadTimeDropsAllFields) {
  for (const char* payload :
       {R"({"a":1,"b":2})", R"({"a":1,"b":2,"at":null})", R"({"a":1,"b":2,"at":true})",
        R"({"a":1,"b":2,"at":-5})", R"({"a":1,"b":2,"at":"soon"})", R"({"a":1,"b":2,"at":{}})",
        R"({"a":1,"b":2,"at":18446744073709551615})", R"({"a":1,"b":2,"at":7289654400})", "21.5",
        "\"21.5\"", "[1,2]"}) {
    const auto results = decode(stream(PayloadFormat::automatic, {"a", "b"}, "at"), payload);
    ASSERT_EQ(results.size(), 2U);
    expect_drop(results[0], DropReason::bad_time);
    expect_drop(results[1], DropReason::bad_time);
  }
}

TEST_F(PayloadTest, TheTimeMayBeAnItemOfAnArray) {
  const auto result =
      decode_one(stream(PayloadFormat::automatic, {"/1"}, "/0"), "[1775304180, 21.5]");
  expect_value(result, 21.5);
  EXPECT_EQ(std::get<Value>(result).event_time, time_from_ms(1'775'304'180'000));
}

TEST_F(PayloadTest, PayloadsOverTheLimitAreNotRead) {
  limits_.payload = 8;
  expect_value(at("", "12345678"), 12345678);
  expect_drop(at("", "123456789"), DropReason::too_large);
  expect_value(at("/0", "[234567]"), 234567);
  expect_drop(at("/0", "[2345678]"), DropReason::too_large);
}

TEST_F(PayloadTest, NestingUpToTheLimitIsRead) {
  limits_.json_depth = 5;
  expect_value(at("/0/0/0/0/0", "[[[[[7]]]]]"), 7);
  expect_drop(at("/0/0/0/0/0", "[[[[[[7]]]]]]"), DropReason::too_deep);
  expect_value(at("a/a/a/a/a", R"({"a":{"a":{"a":{"a":{"a":7}}}}})"), 7);
  expect_drop(at("b", R"({"b":1,"a":{"a":{"a":{"a":{"a":{"a":7}}}}}})"), DropReason::too_deep);
}

TEST_F(PayloadTest, NestingAsDeepAsThePayloadIsLongIsTooDeep) {
  expect_drop(at("", std::string(50'000, '[') + std::string(50'000, ']')), DropReason::too_deep);
  std::string objects;
  for (int i = 0; i < 10'000; ++i) {
    objects += R"({"a":)";
  }
  expect_drop(at("", objects + std::string(10'000, '}')), DropReason::too_deep);
}

TEST_F(PayloadTest, NestingThatNeverEndsIsNoJson) {
  expect_drop(at("", std::string(100'000, '[')), DropReason::not_json);
}

TEST_F(PayloadTest, AfterAMistakeTheNextPayloadIsReadAsEver) {
  expect_drop(at("v", std::string(1000, '[') + std::string(1000, ']')), DropReason::too_deep);
  expect_drop(at("v", R"({"v":1)"), DropReason::not_json);
  expect_value(at("v", R"({"v":1})"), 1);
}

TEST_F(PayloadTest, WhatIsNotUtf8IsDroppedWhereverItStands) {
  for (const char* payload :
       {"22.5 \xB0"
        "C",
        "\xFF", "5 \xED\xA0\x80", "{\"v\":1,\"u\":\"\xB0\"}", "{\"v\":1} \xFF", "{\"v\":\"\xC3\"}",
        "\"\xFF", "{\"v\":1e999,\"\xFF\":1}"}) {
    expect_drop(at("v", payload), DropReason::not_utf8);
  }
}

TEST_F(PayloadTest, MalformedJsonIsAnsweredWithAReason) {
  for (const char* payload :
       {"{,}",         "{\"v\"}",     "{\"v\":}",    "{v:1}",         "{'v':1}",    "{\"v\":1,}",
        "[1,]",        "[1 2]",       "{\"v\":01}",  "{\"v\":+1}",    "{\"v\":.5}", "{\"v\":1.}",
        "{\"v\":0x1}", "{\"v\":tru}", "{\"v\":NaN}", "{}{}",          "{\"v\":1}]", "\"\\x\"",
        "\"\\ud800\"", "\"a\nb\"",    "[\"",         "{\"v\":1 /**/}"}) {
    const FieldResult result = at("v", payload);
    ASSERT_TRUE(std::holds_alternative<DropReason>(result)) << payload;
    const DropReason reason = std::get<DropReason>(result);
    EXPECT_TRUE(reason == DropReason::not_json || reason == DropReason::not_a_number)
        << payload << ' ' << to_string(reason);
  }
}

TEST_F(PayloadTest, NulBytesAreNoNumber) {
  expect_drop(at("", std::string_view("5\0", 2)), DropReason::not_a_number);
  expect_drop(at("v", std::string_view("{\"v\":1 \0}", 9)), DropReason::not_json);
}

TEST_F(PayloadTest, AnyCutOfAPayloadIsAnsweredWithoutAValue) {
  const std::string whole =
      R"({"sensors":[{"temp":21.5,"unit":"°C"}],"at":"2026-04-04T12:03:00Z"})";
  const Stream sensors = stream(PayloadFormat::automatic, {"/sensors/0/temp"}, "at");
  expect_value(decode_one(sensors, whole), 21.5);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const FieldResult result = decode_one(sensors, whole.substr(0, size));
    EXPECT_TRUE(std::holds_alternative<DropReason>(result)) << size;
  }
}

TEST_F(PayloadTest, PayloadsOfEveryLengthAreReadToTheEnd) {
  for (std::size_t size = 0; size < 300; ++size) {
    expect_value(at("v", "{\"pad\":\"" + std::string(size, 'x') + "\",\"v\":" + "12345}"), 12345);
    expect_value(at("", std::string(size, ' ') + "12.5" + std::string(size, ' ')), 12.5);
  }
}

TEST_F(PayloadTest, ADecoderMayBeMoved) {
  PayloadDecoder first{Limits()};
  PayloadDecoder second = std::move(first);
  std::vector<FieldResult> results;
  second.decode(stream(PayloadFormat::automatic, {"v"}), R"({"v":1})", results);
  expect_value(results.at(0), 1);
}

}  // namespace
}  // namespace rollup::decode
