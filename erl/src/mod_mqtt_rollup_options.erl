%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc The one table of options. What is said here of an option, its type, default and description, is
%% what validates it, fills it in, and documents it (`mod_doc' and ejabberd/README.md). What an option
%% means beside the others (a condition, a template, a loop) is checked by the program. Pure, except that
%% the files named in `tls' must be readable and a time zone must be known to the system.
%%
%% YAML leaves its traces: plain and single-quoted texts arrive as atoms, double-quoted ones as
%% binaries, and whatever looks like a number as a number.
-module(mod_mqtt_rollup_options).

-export([statistics/0, table/1, validator/1, default/1, fill/3, docs/1, default_text/1, subtable/1]).

-export_type([option/0, table/0, doc/0]).

-define(ZONES, <<"/usr/share/zoneinfo">>).
-define(MIB, 1024 * 1024).

-type milliseconds() :: mod_mqtt_rollup_duration:milliseconds().

-type table() :: module | limits | broker | tls | stream | value | keep | output | sparkline | alert.
-type option() :: #{
    name := atom(),
    type := type(),
    %% As people would write it. What follows from other things is told in words, and filled in by
    %% mod_mqtt_rollup_config.
    default := term() | required | {follows, unicode:chardata()},
    %% With names and values in backticks.
    doc := unicode:chardata()
}.
-type type() ::
    atom()
    | {int, integer(), integer()}
    | {enum, [atom()]}
    | {duration, milliseconds(), milliseconds() | forever}
    | {duration_or, Word :: atom(), milliseconds(), milliseconds() | forever}
    %% One map of options, several with names, a list of them, or one instead of a simple value.
    | {options, table()}
    | {named, table()}
    | {list, table()}
    | {options_or, Simple :: atom(), table()}.

-type doc() ::
    {atom(), #{value := string(), desc := binary()}}
    | {atom(), #{value := string(), desc := binary()}, [doc()]}.


%%%===================================================================
%%% The table
%%%===================================================================

%% @doc What can be asked of a series, in the order in which it is shown: the names of the program's
%% table (c_src/model/statistic.h).
-spec statistics() -> [atom(), ...].
statistics() ->
    [avg, mean, min, max, sum, count, first, last, stddev, delta, increase, rate, resets].

%% @doc The options of each map, in the order in which they are documented.
-spec table(table()) -> [option()].
table(module) ->
    [
        o(host, host, {follows, "`rollup.` and the virtual host"}, "The XMPP address of the service"),
        o(name, non_empty, <<"Rollup">>, "Its name in discovery"),
        o(access, acl, local,
          "Which users of the virtual host may use the ad-hoc commands. They see only series of topics that mod_mqtt "
          "would let them subscribe to"),
        o(access_admin, acl, configure,
          "Who may use the ad-hoc commands and see every series though mod_mqtt does not know them: people "
          "of other hosts, or everybody where mod_mqtt is not loaded"),
        o(program, path, {follows, "`priv/bin/mqtt_rollup` of the installed module"}, "The program"),
        o(data_dir, path,
          {follows, "a directory of the virtual host below `mqtt_rollup` in that of ejabberd's database"},
          "Where the history is kept. ejabberd's backups do not contain it"),
        o(timezone, timezone, {follows, "the machine's"},
          "The time zone of days and printed times, such as `Europe/Berlin`"),
        o(language, lang, {follows, "ejabberd's `language`"}, "The language of texts, `en` or `de`"),
        o(durability, {enum, [normal, full]}, normal,
          "With `normal` a crash of the machine may lose the last moments of the history, with `full` it "
          "does not, and writing is slower. A crash of the program loses nothing in either"),
        o(limits, {options, limits}, #{}, "Bounds for what devices and people can make the program do"),
        o(brokers, {named, broker}, [],
          "The MQTT brokers. The one named `ejabberd` is always there and used by streams that name none: "
          "it is mod_mqtt of the virtual host, reached inside ejabberd without an account. Only if it is "
          "given a `host` is it reached as an MQTT client, as all others are"),
        o(streams, {named, stream}, [], "Where values come from"),
        o(alerts, {named, alert}, [], "What people want to be told")
    ];
table(limits) ->
    [
        o(series, {int, 1, 10000000}, 100000, "Series in all"),
        o(series_per_stream, {int, 1, 10000000}, 50000, "Series of one stream"),
        o(new_series, {int, 1, 1000000}, 1000, "New series of one stream in a second"),
        o(topic, {int, 1, 65535}, 1024, "Bytes of a topic that comes in"),
        o(payload, {int, 1, 8 * ?MIB}, 262144, "Bytes of a payload that comes in"),
        o(text, {int, 1, 262144}, 4096, "Bytes of a text that goes out"),
        o(json_depth, {int, 1, 1000}, 64, "How deep JSON may be nested"),
        o(rows, {int, 1, 50000}, 5000, "Rows of an answer"),
        o(alerts_per_rule, {int, 1, 1000000}, 10000, "Series that one alert watches"),
        o(queue_memory, {int, 1, 64 * 1024 * ?MIB}, 67108864,
          "Bytes of messages that wait in ejabberd while the program is away"),
        o(queue_disk, {int, 1, 1024 * 1024 * ?MIB}, 1073741824, "The same in files, when that is full")
    ];
table(broker) ->
    [
        o(host, non_empty, {follows, "none; required, except for `ejabberd`"},
          "Name or address, or the path of a unix socket"),
        o(port, port, {follows, "`1883`, with `tls` `8883`"}, "Its TCP port"),
        o(username, text, <<>>, "At ejabberd, the JID of an account"),
        o(password, password, <<>>, "Its password"),
        o(client_id, non_empty, {follows, "`mqtt_rollup-` and the virtual host"}, "The client identifier"),
        o(keepalive, {duration, 5000, 65535 * 1000}, '60s', "How often the link is tried when it is silent"),
        o(protocol, protocol, 5, "Version of MQTT, `5` or `3.1.1`"),
        o(session_expiry, {duration, 0, forever}, '1h',
          "How long the broker keeps messages while the program is away"),
        o(tls, {options_or, bool, tls}, false, "Use TLS: `true`, or a map")
    ];
table(tls) ->
    [
        o(ca_file, file, <<>>, "Certificates of authorities. Those of the system if none is given"),
        o(cert_file, file, <<>>, "Our own certificate, with `key_file`"),
        o(key_file, file, <<>>, "Its key"),
        o(verify, bool, true, "Whether the broker's certificate must be right")
    ];
table(stream) ->
    [
        o(topic, non_empty, required, "Topic filter"),
        o(broker, name, ejabberd, "Name of the broker"),
        o(qos, {int, 0, 2}, 1, "Quality of service of the subscription"),
        o(format, {enum, [auto, json, text]}, auto,
          "How payloads are read; `auto` takes for JSON what looks like it"),
        o(fields, {named, value}, {follows, "one value for each payload"},
          "Several values of one payload: series of their own"),
        o(time, pointer, {follows, "the time of arrival"}, "JSON Pointer of the time")
    ] ++ table(value) ++
    [
        o(resolution, resolution, '1m', "The finest intervals, a part of an hour from `1s` to `1h`"),
        o(hold, {duration_or, auto, 1000, forever}, auto, "How long a value counts as still true"),
        o(lateness, {duration, 0, forever}, '5m', "How late a value may come"),
        o(keep, {options, keep}, #{}, "How long the history is kept, or `forever`"),
        o(publish, {list, output}, {follows, "one, `{topic: \"stats/{series}\"}`"},
          "The topics that are published from each series")
    ];
%% Where the value is and what it is: of a stream with one value, or of each of its fields.
table(value) ->
    [
        o(value, pointer, {follows, "the whole payload, or the member of the field's name"},
          "Where the value is: a JSON Pointer, or the name of a member"),
        o(unit, text, <<>>, "The unit of the values"),
        o(title, text, <<>>, "What people call it"),
        o(kind, {enum, [gauge, counter]}, gauge,
          "What the values are: a `gauge` goes up and down, a `counter` only grows, and may begin anew"),
        o(reset, {enum, [zero, wrap32, wrap64]}, zero,
          "What a fall of a counter means: that it began anew, or that 32 or 64 bits ran over"),
        o(scale, number, 1, "Values are multiplied by this"),
        o(offset, number, 0, "And this is added"),
        o(valid, valid, none, "`[low, high]`: values outside are dropped and counted")
    ];
table(keep) ->
    [
        o(raw, tier, '2d', "Each value"),
        o(fine, tier, '30d', "Intervals of the resolution"),
        o(hour, tier, '5y', "Hours"),
        o(day, tier, forever, "Days")
    ];
table(output) ->
    [
        o(topic, non_empty, required, "Template with `{topic} {series} {stream} {field} {unit}`"),
        o(format, {enum, [json, number, text, protobuf]}, json, "What is sent"),
        o(window, {duration, 1000, forever}, '1h', "Aggregates are over this time until now"),
        o(every, {duration, 1000, forever}, {follows, "the resolution"}, "How often they are published"),
        o(statistic, {enum, [auto | statistics()]}, auto,
          "Which one `number` sends; `auto` is `avg` of a gauge, `increase` of a counter"),
        o(sparkline, {options_or, none, sparkline}, none,
          "Averages of a gauge, increases of a counter, for a small drawing"),
        o(on, {enum, [interval, change, close]}, interval,
          "Whether it is published at each interval, when the value changes, or when a window is over"),
        o(deadband, non_negative, 0, "With `change`: how much the value must differ"),
        o(min_interval, {duration, 0, forever}, 0, "With `change`: how long it waits at least"),
        o(heartbeat, {duration, 1000, forever}, '1h', "With `change`: how long it waits at most"),
        o(retain, bool, true, "Whether the broker keeps the last one"),
        o(qos, {int, 0, 2}, 1, "Quality of service"),
        o(expiry, {duration_or, forever, 1000, forever}, {follows, "twice the window"},
          "How long it counts, or `forever`"),
        o(broker, name, {follows, "the stream's"}, "Name of the broker that gets it")
    ];
table(sparkline) ->
    [
        o(span, {duration, 1000, forever}, '24h', "Its length"),
        o(points, {int, 2, 500}, 24, "Its number of points")
    ];
table(alert) ->
    [
        o(stream, name, required, "Name of the stream"),
        o(match, match, [],
          "Only series with these levels of their topic, as `{room: kitchen}`. `topic` is a topic filter "
          "that the series' topic must match, `field` the name of the stream's field"),
        o(raise, non_empty, required, "Condition, such as `avg(5m) > 8 and age < 60`: when the alarm begins"),
        o('clear', non_empty, {follows, "when `raise` is false"}, "Condition: when it ends"),
        o(for, {duration, 0, forever}, 0, "How long `raise` must hold"),
        o(clear_for, {duration, 0, forever}, 0, "How long `clear` must hold"),
        o(notify, recipients, [],
          "Who gets a message. People of the virtual host must be allowed to subscribe to the topic of the "
          "series; people of other hosts, and everybody where mod_mqtt is not loaded, are not checked"),
        o(message, text, {follows, "one that names value, condition and time"},
          "Its text, with `{alert} {topic} {series} {stream} {field} {unit} {value} {limit} {severity} "
          "{since}`; `{limit}` is the condition, `{since}` since when the state is as it is"),
        o(topic, non_empty, <<"alerts/{alert}/{series}">>,
          "Template of the retained state with `{alert} {topic} {series} {stream} {field}`, or `none`")
    ].

-spec o(atom(), type(), term(), string()) -> option().
o(Name, Type, Default, Doc) ->
    #{name => Name, type => Type, default => Default, doc => Doc}.

%% @doc The table of the options below an option.
-spec subtable(type()) -> none | table().
subtable({options, Table}) -> Table;
subtable({named, Table}) -> Table;
subtable({list, Table}) -> Table;
subtable({options_or, _, Table}) -> Table;
subtable(_) -> none.

%%%===================================================================
%%% What follows from the table
%%%===================================================================

%% @doc The validator of an option of the module. Raises function_clause for an unknown one, as gen_mod
%% expects. What it returns has only what was written.
-spec validator(atom()) -> econf:validator().
validator(Name) ->
    case [Type || #{name := Known, type := Type} <- table(module), Known =:= Name] of
        [Type] -> of_type(Type);
        [] -> error(function_clause)
    end.

%% @doc The default as the validator would return it, if it does not follow from other things.
-spec default(option()) -> {ok, term()} | none.
default(#{default := required}) -> none;
default(#{default := {follows, _}}) -> none;
default(#{type := Type, default := Written}) -> {ok, value(Type, Written)}.

-spec value(type(), term()) -> term().
value({duration, _, _}, Written) -> milliseconds(Written);
value({duration_or, Word, _, _}, Written) when Written =/= Word -> milliseconds(Written);
value(resolution, Written) -> milliseconds(Written);
value(tier, Written) when Written =/= forever -> milliseconds(Written);
value(name, Written) -> atom_to_binary(Written, utf8);
value(password, Written) -> secret(Written);
value(_, Written) -> Written.

-spec milliseconds(atom() | integer()) -> milliseconds().
milliseconds(Written) ->
    {ok, Ms} = mod_mqtt_rollup_duration:parse(Written),
    Ms.

%% @doc The options of a map as the program reads them (docs/PROTOCOL.md): what was written (`Given'),
%% else what follows (`Following'), else the default. What has none of them is left out. Durations are in
%% milliseconds, and so are their names.
-spec fill(table(), Given :: map(), Following :: map()) -> map().
fill(Table, Given, Following) ->
    Known = maps:merge(Following, Given),
    maps:from_list(
        lists:append([
            case {Known, default(Option)} of
                {#{Name := Value}, _} -> [{key(Option), Value}];
                {_, {ok, Value}} -> [{key(Option), Value}];
                {_, none} -> []
            end
         || #{name := Name} = Option <- table(Table)
        ])
    ).

-spec key(option()) -> atom().
key(#{name := Name, type := {duration, _, _}}) -> in_ms(Name);
key(#{name := Name, type := {duration_or, _, _, _}}) -> in_ms(Name);
key(#{name := Name, type := resolution}) -> in_ms(Name);
key(#{name := Name}) -> Name.

-spec in_ms(atom()) -> atom().
in_ms(Name) ->
    list_to_atom(atom_to_list(Name) ++ "_ms").

%% @doc The options of a map for `mod_doc'.
-spec docs(table()) -> [doc()].
docs(Table) ->
    [doc(Option) || Option <- table(Table)].

-spec doc(option()) -> doc().
doc(#{name := Name, type := Type, doc := Doc} = Option) ->
    Default =
        case default_text(Option) of
            none -> "";
            required -> " Required.";
            Text -> [" The default is ", Text, "."]
        end,
    Words = unicode:characters_to_binary([Doc, ".", Default]),
    About = #{
        value => value_text(Type),
        %% The manual page knows no backticks.
        desc => binary:replace(Words, <<"`">>, <<"'">>, [global])
    },
    case subtable(Type) of
        none -> {Name, About};
        Table -> {Name, About, docs(Table)}
    end.

%% @doc The default for people, with values in backticks; an empty one goes without saying.
-spec default_text(option()) -> none | required | unicode:chardata().
default_text(#{default := required}) -> required;
default_text(#{default := {follows, Text}}) -> Text;
default_text(#{default := Empty}) when Empty =:= <<>>; Empty =:= []; Empty =:= #{} -> none;
default_text(#{default := Written}) -> ["`", show(Written), "`"].

-spec value_text(type()) -> string().
value_text({int, Min, Max}) -> lists:flatten(io_lib:format("~b..~b", [Min, Max]));
value_text({enum, Values}) -> lists:flatten(lists:join(" | ", [atom_to_list(Value) || Value <- Values]));
value_text({duration, _, _}) -> "Duration";
value_text({duration_or, Word, _, _}) -> atom_to_list(Word) ++ " | Duration";
value_text({options, _}) -> "{Name: Value}";
value_text({named, _}) -> "{Name: Options}";
value_text({list, _}) -> "[Options]";
value_text({options_or, bool, _}) -> "true | false | Options";
value_text({options_or, Word, _}) -> atom_to_list(Word) ++ " | Options";
value_text(bool) -> "true | false";
value_text(tier) -> "forever | Duration";
value_text(resolution) -> "Duration";
value_text(port) -> "1..65535";
value_text(protocol) -> "5 | 3.1.1";
value_text(acl) -> "AccessName";
value_text(host) -> "Host";
value_text(Path) when Path =:= path; Path =:= file -> "Path";
value_text(pointer) -> "JSON Pointer";
value_text(Number) when Number =:= number; Number =:= non_negative -> "Number";
value_text(valid) -> "[Low, High]";
value_text(recipients) -> "[JID]";
value_text(match) -> "{Name: Text}";
value_text(lang) -> "Language";
value_text(timezone) -> "Name";
value_text(name) -> "Name";
value_text(_) -> "Text".

%%%===================================================================
%%% Types
%%%===================================================================

-spec of_type(type()) -> econf:validator().
of_type({int, Min, Max}) -> econf:int(Min, Max);
of_type({enum, Values}) -> econf:enum(Values);
of_type({duration, Min, Max}) -> duration(Min, Max);
of_type({duration_or, Word, Min, Max}) -> econf:either(Word, duration(Min, Max));
of_type({options, Table}) -> options(Table);
of_type({named, Table}) when Table =:= value -> econf:non_empty(econf:map(name(), options(Table), [unique]));
of_type({named, Table}) -> econf:map(name(), options(Table), [unique]);
of_type({list, Table}) -> econf:list(options(Table));
of_type({options_or, bool, Table}) -> econf:either(econf:bool(), options(Table));
of_type({options_or, Word, Table}) -> econf:either(Word, options(Table));
of_type(host) -> econf:host();
of_type(acl) -> econf:acl();
of_type(path) -> econf:path();
of_type(file) -> econf:file();
of_type(lang) -> econf:lang();
of_type(bool) -> econf:bool();
of_type(port) -> econf:port();
of_type(text) -> text();
of_type(password) -> econf:and_then(text(), fun secret/1);
of_type(non_empty) -> econf:non_empty(text());
of_type(name) -> name();
of_type(timezone) -> econf:and_then(text(), fun check_timezone/1);
of_type(pointer) -> json_pointer();
of_type(number) -> fun number/1;
of_type(non_negative) -> fun non_negative/1;
of_type(valid) -> fun valid/1;
of_type(resolution) -> econf:and_then(duration(1000, 3600000), fun check_resolution/1);
of_type(tier) -> econf:either(forever, duration(0, forever));
of_type(protocol) -> fun protocol/1;
of_type(match) -> econf:map(name(), fun match_value/1, [unique]);
of_type(recipients) -> econf:list_or_single(recipient(), [unique]).

-spec options(table()) -> econf:validator().
options(Table) ->
    Options = table(Table),
    econf:and_then(
        econf:options(
            maps:from_list([{Name, of_type(Type)} || #{name := Name, type := Type} <- Options]),
            [{required, [Name || #{name := Name, default := required} <- Options]}, {return, map}, unique]
        ),
        fun(Map) -> check(Table, Map) end
    ).

%% What options of one map mean for each other.
-spec check(table(), map()) -> map().
check(tls, #{cert_file := _} = Tls) when not is_map_key(key_file, Tls) ->
    fail("cert_file needs key_file", []);
check(tls, #{key_file := _} = Tls) when not is_map_key(cert_file, Tls) ->
    fail("key_file needs cert_file", []);
check(stream, #{fields := _} = Stream) ->
    case [Name || #{name := Name} <- table(value), is_map_key(Name, Stream)] of
        [] -> Stream;
        Names -> fail("~ts belongs into each of the fields when there are fields", [lists:min(Names)])
    end;
check(_, Map) ->
    Map.

%% A password is a fun from here until it is encoded for the program: no report of a crash can print it.
-spec secret(binary()) -> fun(() -> binary()).
secret(Password) ->
    fun() -> Password end.

%%%===================================================================
%%% The values
%%%===================================================================

%% Texts go to the program as UTF-8.
-spec text() -> econf:validator(binary()).
text() ->
    econf:and_then(
        econf:binary(),
        fun(Text) ->
            IsUtf8 = unicode:characters_to_binary(Text) =:= Text,
            HasNul = binary:match(Text, <<0>>) =/= nomatch,
            if
                not IsUtf8 -> fail("Expected a text in UTF-8", []);
                HasNul -> fail("A text must not contain NUL", []);
                true -> Text
            end
        end
    ).

-spec name() -> econf:validator(binary()).
name() ->
    econf:and_then(
        text(),
        fun(Name) ->
            case re:run(Name, <<"^[A-Za-z0-9_-]{1,64}$">>, [dollar_endonly]) of
                {match, _} -> Name;
                nomatch -> fail("Expected a name of 1 to 64 letters (A-Z), digits, '_' and '-', "
                                "got: ~ts", [Name])
            end
        end
    ).

-spec duration(milliseconds(), milliseconds() | forever) -> econf:validator(milliseconds()).
duration(Min, Max) ->
    fun(Value) ->
        case mod_mqtt_rollup_duration:parse(Value) of
            {ok, Ms} when Ms >= Min, Ms =< Max -> Ms;
            {ok, _} -> fail("~ts", [range(Min, Max)]);
            error -> fail("Expected a duration such as 90s, 5m, 1h30m, 7d or '5 minutes', got: ~ts",
                          [show(Value)])
        end
    end.

-spec range(milliseconds(), milliseconds() | forever) -> iolist().
range(Min, forever) ->
    ["Expected a duration of at least ", mod_mqtt_rollup_duration:format(Min)];
range(Min, Max) ->
    [
        "Expected a duration from ",
        mod_mqtt_rollup_duration:format(Min),
        " to ",
        mod_mqtt_rollup_duration:format(Max)
    ].

-spec check_resolution(milliseconds()) -> milliseconds().
check_resolution(Ms) when 3600000 rem Ms =:= 0 ->
    Ms;
check_resolution(Ms) ->
    fail("Expected a part of an hour, such as 10s, 1m, 5m, 15m or 1h; ~ts does not divide 1h",
         [mod_mqtt_rollup_duration:format(Ms)]).

-spec number(term()) -> number().
number(Value) when is_integer(Value), abs(Value) > 16#20000000000000 ->
    try
        float(Value)
    catch
        error:_ -> fail("The number is too large", [])
    end;
number(Value) when is_number(Value) ->
    Value;
number(Value) ->
    fail("Expected number, got: ~ts", [show(Value)]).

-spec non_negative(term()) -> number().
non_negative(Value) ->
    case number(Value) of
        Number when Number >= 0 -> Number;
        Number -> fail("Expected number >= 0, got: ~p", [Number])
    end.

-spec valid(term()) -> {number(), number()}.
valid([Low, High]) when not is_tuple(Low) ->
    case {number(Low), number(High)} of
        {L, H} when L =< H -> {L, H};
        {L, H} -> fail("The low end ~p is above the high end ~p", [L, H])
    end;
valid(Value) ->
    fail("Expected two numbers, [low, high], got: ~ts", [show(Value)]).

%% A bare key means the member of that name; with slashes it must be a real pointer.
-spec json_pointer() -> econf:validator(binary()).
json_pointer() ->
    econf:and_then(
        text(),
        fun
            (<<>>) -> <<>>;
            (<<"/", _/binary>> = Pointer) -> Pointer;
            (Key) ->
                case binary:match(Key, [<<"/">>, <<"~">>]) of
                    nomatch -> <<"/", Key/binary>>;
                    _ -> fail("Expected a JSON Pointer such as /sensors/0/temp, or the name of a "
                              "member; did you mean /~ts?", [Key])
                end
        end
    ).

%% `3.1.1' is a text for YAML, `5' an integer, `5.0' a float.
-spec protocol(term()) -> 4 | 5.
protocol(5) -> 5;
protocol(Value) when is_float(Value), Value == 5 -> 5;
protocol(Value) when is_atom(Value) -> protocol(atom_to_binary(Value, utf8));
protocol(<<"5">>) -> 5;
protocol(<<"5.0">>) -> 5;
protocol(<<"3.1.1">>) -> 4;
protocol(Value) -> fail("Expected 5 or 3.1.1, got: ~ts", [show(Value)]).

-spec match_value(term()) -> binary().
match_value(Value) when is_integer(Value) ->
    integer_to_binary(Value);
match_value(Value) ->
    (econf:non_empty(text()))(Value).

-spec recipient() -> econf:validator(binary()).
recipient() ->
    econf:and_then(
        econf:jid(),
        fun(Jid) ->
            case jid:tolower(Jid) of
                {<<>>, _, _} -> fail("Expected the address of a user, such as alice@example.org, "
                                     "got: ~ts", [jid:encode(Jid)]);
                _ -> jid:encode(Jid)
            end
        end
    ).

-spec check_timezone(binary()) -> binary().
check_timezone(<<>>) ->
    <<>>;
check_timezone(Name) ->
    IsName = re:run(Name, <<"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$">>, [dollar_endonly]) =/= nomatch,
    IsKnown =
        IsName andalso
            (not filelib:is_dir(?ZONES) orelse filelib:is_regular(filename:join(?ZONES, Name))),
    case IsKnown of
        true -> Name;
        false -> fail("Unknown time zone: ~ts. Expected a name such as Europe/Berlin or UTC", [Name])
    end.

%%%===================================================================
%%% Errors
%%%===================================================================

-spec fail(io:format(), [term()]) -> no_return().
fail(Format, Args) ->
    econf:fail({invalid_syntax, lists:flatten(io_lib:format(Format, Args))}).

-spec show(term()) -> string().
show(Value) when is_atom(Value) ->
    try
        show(atom_to_binary(Value, latin1))
    catch
        error:badarg -> atom_to_list(Value)
    end;
show(<<>>) ->
    "an empty text";
show(Value) when is_binary(Value) ->
    case unicode:characters_to_list(Value) of
        Text when is_list(Text) -> Text;
        _ -> "a text that is not UTF-8"
    end;
show(Value) when is_number(Value) ->
    lists:flatten(io_lib:format("~p", [Value]));
show([]) ->
    "an empty list";
show([{_, _} | _]) ->
    "a map";
show(_) ->
    "a list".
