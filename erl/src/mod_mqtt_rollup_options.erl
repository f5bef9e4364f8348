%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc The econf validators of every option. They check shapes, types and ranges and put nothing in
%% that was not written: defaults are the business of mod_mqtt_rollup_config. What an option means
%% beside the others (a condition, a template, a loop) is checked by the program. Pure, except that
%% the files named in `tls' must be readable and a time zone must be known to the system.
%%
%% YAML leaves its traces: plain and single-quoted texts arrive as atoms, double-quoted ones as
%% binaries, and whatever looks like a number as a number.
-module(mod_mqtt_rollup_options).

-export([validator/1, limits/0, queue_limits/0]).

-define(ZONES, <<"/usr/share/zoneinfo">>).

-type milliseconds() :: mod_mqtt_rollup_duration:milliseconds().

-define(AGGREGATES, [avg, mean, min, max, sum, count, first, last, stddev]).

%% @doc The validator of a module option.
-spec validator(atom()) -> econf:validator().
validator(host) ->
    econf:host();
validator(name) ->
    econf:non_empty(text());
validator(access) ->
    econf:acl();
validator(access_admin) ->
    econf:acl();
validator(program) ->
    econf:path();
validator(data_dir) ->
    econf:path();
validator(timezone) ->
    econf:and_then(text(), fun check_timezone/1);
validator(language) ->
    econf:lang();
validator(durability) ->
    econf:enum([normal, full]);
validator(limits) ->
    econf:options(
        maps:from_list([{Name, econf:int(1, Max)} || {Name, _, Max} <- limits() ++ queue_limits()]),
        [{return, map}, unique]
    );
validator(brokers) ->
    econf:map(name(), broker(), [unique]);
validator(streams) ->
    econf:map(name(), stream(), [unique]);
validator(alerts) ->
    econf:map(name(), alert(), [unique]).

%% @doc Name, default and maximum of each limit of the program.
-spec limits() -> [{atom(), pos_integer(), pos_integer()}].
limits() ->
    [
        {series, 100000, 10000000},
        {series_per_stream, 50000, 10000000},
        {payload, 256 * 1024, 8 * 1024 * 1024},
        {text, 4096, 256 * 1024},
        {json_depth, 64, 1000},
        {rows, 5000, 50000},
        {alerts_per_rule, 10000, 1000000}
    ].

%% @doc The same of what may wait for the program, in bytes.
-spec queue_limits() -> [{atom(), pos_integer(), pos_integer()}].
queue_limits() ->
    [
        {queue_memory, 64 * 1024 * 1024, 64 * 1024 * 1024 * 1024},
        {queue_disk, 1024 * 1024 * 1024, 1024 * 1024 * 1024 * 1024}
    ].

%%%===================================================================
%%% The maps
%%%===================================================================

-spec broker() -> econf:validator().
broker() ->
    econf:options(
        #{
            host => econf:non_empty(text()),
            port => econf:port(),
            username => text(),
            password => text(),
            client_id => econf:non_empty(text()),
            keepalive => duration(5000, 65535 * 1000),
            protocol => fun protocol/1,
            tls => econf:either(econf:bool(), tls()),
            session_expiry => duration(0, forever)
        },
        [{return, map}, unique]
    ).

-spec tls() -> econf:validator().
tls() ->
    econf:and_then(
        econf:options(
            #{
                ca_file => econf:file(),
                cert_file => econf:file(),
                key_file => econf:file(),
                verify => econf:bool()
            },
            [{return, map}, unique]
        ),
        fun
            (#{cert_file := _, key_file := _} = Tls) -> Tls;
            (#{cert_file := _}) -> fail("cert_file needs key_file", []);
            (#{key_file := _}) -> fail("key_file needs cert_file", []);
            (Tls) -> Tls
        end
    ).

-spec stream() -> econf:validator().
stream() ->
    econf:and_then(
        econf:options(
            maps:merge(value_options(), #{
                topic => econf:non_empty(text()),
                broker => name(),
                qos => econf:int(0, 2),
                format => econf:enum([auto, json, text]),
                fields => econf:non_empty(econf:map(name(), field(), [unique])),
                time => json_pointer(),
                resolution => econf:and_then(duration(1000, 3600000), fun check_resolution/1),
                hold => econf:either(auto, duration(1000, forever)),
                lateness => duration(0, forever),
                keep => keep(),
                publish => econf:list(output())
            }),
            [{required, [topic]}, {return, map}, unique]
        ),
        fun check_fields/1
    ).

-spec field() -> econf:validator().
field() ->
    econf:options(value_options(), [{return, map}, unique]).

%% Where the value is and what it is: of a stream with one value, or of each of its fields.
-spec value_options() -> econf:validators().
value_options() ->
    #{
        value => json_pointer(),
        unit => text(),
        title => text(),
        scale => fun number/1,
        offset => fun number/1,
        valid => fun valid/1
    }.

-spec keep() -> econf:validator().
keep() ->
    Tier = econf:either(forever, duration(0, forever)),
    econf:options(
        #{raw => Tier, fine => Tier, hour => Tier, day => Tier},
        [{return, map}, unique]
    ).

-spec output() -> econf:validator().
output() ->
    econf:options(
        #{
            topic => econf:non_empty(text()),
            format => econf:enum([json, number, text, protobuf]),
            window => duration(1000, forever),
            every => duration(1000, forever),
            aggregate => econf:enum(?AGGREGATES),
            sparkline => econf:either(none, sparkline()),
            on => econf:enum([interval, change, close]),
            deadband => fun non_negative/1,
            min_interval => duration(0, forever),
            heartbeat => duration(1000, forever),
            retain => econf:bool(),
            qos => econf:int(0, 2),
            expiry => econf:either(forever, duration(1000, forever)),
            broker => name()
        },
        [{required, [topic]}, {return, map}, unique]
    ).

-spec sparkline() -> econf:validator().
sparkline() ->
    econf:options(
        #{span => duration(1000, forever), points => econf:int(2, 500)},
        [{return, map}, unique]
    ).

-spec alert() -> econf:validator().
alert() ->
    econf:options(
        #{
            stream => name(),
            match => econf:map(name(), fun match_value/1, [unique]),
            raise => econf:non_empty(text()),
            clear => econf:non_empty(text()),
            for => duration(0, forever),
            clear_for => duration(0, forever),
            notify => econf:list_or_single(recipient(), [unique]),
            message => text(),
            topic => econf:non_empty(text())
        },
        [{required, [stream, raise]}, {return, map}, unique]
    ).

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

-spec check_fields(map()) -> map().
check_fields(#{fields := _} = Stream) ->
    case [Option || Option <- maps:keys(value_options()), maps:is_key(Option, Stream)] of
        [] -> Stream;
        [Option | _] -> fail("~ts belongs into each of the fields when there are fields", [Option])
    end;
check_fields(Stream) ->
    Stream.

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
