%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc The API commands: `ejabberdctl mqtt_rollup_status' and so on, also over mod_http_api. They see
%% every topic: who may call them is a matter of `api_permissions'.
-module(mod_mqtt_rollup_commands).

-export([commands/0]).
%% Called by ejabberd_commands
-export([status/1, series/2, history/5]).

-include("ejabberd_commands.hrl").

%% Somebody who asks for the status suspects that the program hangs.
-define(STATUS_TIMEOUT, 5000).
-define(STATUS_RETRY, 100).
-define(BATCH, 1000).
%% So that a slip of the pen does not collect gigabytes.
-define(ROWS_MAX, 100000).

-type fact() :: {Name :: binary(), Value :: binary()}.
%% As ejabberd knows it: ejabberd_ctl prints type and text, mod_http_api makes an answer of the type.
-type refusal() :: {error, Type :: atom(), Code :: 400..599, Text :: binary()}.

%% @doc The commands for registration.
-spec commands() -> [ejabberd_commands()].
commands() ->
    [
        #ejabberd_commands{
            name = mqtt_rollup_status,
            tags = [mqtt],
            desc = "Show the counters of mod_mqtt_rollup",
            longdesc =
                "Columns, parted by tabs: name, value. For each stream and broker the names begin with "
                "'stream.NAME.' and 'broker.NAME.', and with 'feed.' for what waits for the program: "
                "messages that it has not committed, their bytes in memory and on disk, and the age of the "
                "oldest; how many were dropped because that was full; and how many publications were seen, "
                "wanted, too old, or had to wait for room.",
            module = ?MODULE,
            function = status,
            args = [{host, binary}],
            args_desc = ["Virtual host"],
            args_example = [<<"example.org">>],
            result = {status, {list, {fact, {tuple, [{name, string}, {value, string}]}}}},
            result_desc = "Names and values",
            result_example = [{<<"received">>, <<"1234">>}, {<<"accepted">>, <<"1230">>}]
        },
        #ejabberd_commands{
            name = mqtt_rollup_series,
            tags = [mqtt],
            desc = "List the series of mod_mqtt_rollup with their last values",
            longdesc =
                "Columns, parted by tabs: name, stream, value, unit, age, count. Value is the last one, age is "
                "that of it in seconds, count is the number of samples. Unknown ones are empty. The filter is "
                "a topic filter such as home/+/temperature; an empty one takes all.",
            module = ?MODULE,
            function = series,
            args = [{host, binary}, {filter, binary}],
            args_desc = ["Virtual host", "Topic filter, or empty"],
            args_example = [<<"example.org">>, <<"home/#">>],
            result =
                {series,
                    {list,
                        {row,
                            {tuple, [
                                {name, string},
                                {stream, string},
                                {value, string},
                                {unit, string},
                                {age, string},
                                {count, string}
                            ]}}}},
            result_desc = "Name, stream, last value, unit, its age in seconds, number of samples",
            result_example = [
                {<<"home/hall/temperature">>, <<"temperature">>, <<"21.5">>, <<"C">>, <<"12">>, <<"288">>}
            ]
        },
        #ejabberd_commands{
            name = mqtt_rollup_history,
            tags = [mqtt],
            desc = "Show the history of a series of mod_mqtt_rollup",
            longdesc =
                "Columns, parted by tabs: start, values. Start is the beginning of each interval in UTC, "
                "values are the aggregates in the order asked for, with semicolons between them. Unknown ones "
                "are empty. Last and step are durations such as 24h and 5m; empty ones mean 24h and what "
                "gives about 60 rows. Aggregates is a list with commas of avg, mean, min, max, sum, count, "
                "first, last, stddev, delta, or of a counter increase, rate, resets, count; an empty one means "
                "avg,min,max or increase,rate.",
            module = ?MODULE,
            function = history,
            args = [
                {host, binary}, {series, binary}, {last, binary}, {step, binary}, {aggregates, binary}
            ],
            args_desc = ["Virtual host", "Name of the series", "Duration", "Duration", "Names with commas"],
            args_example = [<<"example.org">>, <<"home/hall/temperature">>, <<"24h">>, <<"1h">>, <<"avg,max">>],
            result =
                {history, {list, {row, {tuple, [{start, string}, {values, string}]}}}},
            result_desc =
                "Beginning of each interval in UTC, and the aggregates in the order asked for, with "
                "semicolons between them",
            result_example = [{<<"2026-04-04T12:00:00Z">>, <<"21.0;25.5">>}]
        }
    ].

-spec status(binary()) -> [fact()] | refusal().
status(Host) ->
    answer(fun() -> status_of(Host) end).

-spec series(binary(), binary()) -> [tuple()] | refusal().
series(Host, Filter) ->
    answer(fun() -> series_of(Host, Filter) end).

-spec history(binary(), binary(), binary(), binary(), binary()) -> [{binary(), binary()}] | refusal().
history(Host, Series, Last, Step, AggregateNames) ->
    answer(fun() -> history_of(Host, Series, Last, Step, AggregateNames) end).

%%%===================================================================
%%% Internal functions
%%%===================================================================

%% Passes a refusal on in the ways that ejabberd has. ejabberd_ctl prints what is returned as a
%% sentence, and what is thrown as an Erlang term; mod_http_api answers with 404 or 500 to what is
%% returned, and only with 400, for a wrong argument, to what is thrown.
-spec answer(fun(() -> Rows)) -> Rows | refusal().
answer(Fun) ->
    try
        Fun()
    catch
        throw:{error, invalid_parameter, _, Text} = Refusal ->
            case mod_mqtt_rollup_compat:is_console() of
                true -> Refusal;
                false -> throw({error, Text})
            end;
        throw:{error, _, _, _} = Refusal ->
            Refusal
    end.

-spec status_of(binary()) -> [fact()].
status_of(Host) ->
    VHost = vhost(Host),
    Answer = ask_status(VHost, erlang:monotonic_time(millisecond) + ?STATUS_TIMEOUT),
    Link = link_facts(VHost),
    {Program, Facts} =
        case Answer of
            {ok, Status} ->
                {Link, status_facts(Status)};
            {error, {unavailable, _, _}} ->
                %% Why it is not there is told by the facts about the link.
                {Link, []};
            {error, {timeout, _, _}} ->
                %% What waits for it is worth knowing all the more.
                {lists:keystore(<<"program">>, 1, Link, {<<"program">>, <<"not answering">>}), []};
            {error, Failure} ->
                fail(Failure)
        end,
    Program ++ feed_facts(VHost) ++ Facts.

%% A running program that cannot even be asked is busy for a moment, or hangs.
-spec ask_status(binary(), Until :: integer()) -> mod_mqtt_rollup_port_core:result().
ask_status(VHost, Until) ->
    Left = Until - erlang:monotonic_time(millisecond),
    case mod_mqtt_rollup_port:request(VHost, status, max(1, Left)) of
        {error, {unavailable, _, Message}} = Unavailable ->
            case mod_mqtt_rollup_port:info(VHost) of
                {ok, #{phase := running}} when Left > 0 ->
                    timer:sleep(?STATUS_RETRY),
                    ask_status(VHost, Until);
                {ok, #{phase := running}} ->
                    {error, {timeout, <<>>, Message}};
                _ ->
                    Unavailable
            end;
        Answer ->
            Answer
    end.

-spec series_of(binary(), binary()) -> [tuple()].
series_of(Host, Filter) ->
    Rows = all_rows(
        vhost(Host), {series, #{filter => Filter, 'after' => <<>>, max => ?BATCH}}, 0, []
    ),
    [
        {
            Name,
            Stream,
            mod_mqtt_rollup_text:number(Value),
            Unit,
            mod_mqtt_rollup_text:seconds(Age),
            mod_mqtt_rollup_text:number(Count)
        }
     || #{
            series := Name,
            stream := Stream,
            value := Value,
            unit := Unit,
            age_ms := Age,
            count := Count
        } <- Rows
    ].

-spec history_of(binary(), binary(), binary(), binary(), binary()) -> [{binary(), binary()}].
history_of(Host, Series, Last, Step, AggregateNames) ->
    VHost = vhost(Host),
    Question = #{
        series => Series,
        from_ms => null,
        to_ms => null,
        last_ms => duration(<<"last">>, Last),
        step_ms => duration(<<"step">>, Step),
        aggregates => aggregates(AggregateNames),
        max => ?BATCH,
        'after' => <<>>
    },
    [
        {mod_mqtt_rollup_text:time(At), values(Aggregates, Values, Decimals)}
     || {#{aggregates := Aggregates, decimals := Decimals}, {At, Values}} <- all_rows(VHost, {history, Question}, 0, [])
    ].

-spec vhost(binary()) -> binary().
vhost(Host) ->
    VHost = jid:nameprep(Host),
    case is_binary(VHost) andalso gen_mod:is_loaded(VHost, mod_mqtt_rollup) of
        true -> VHost;
        false -> fail({not_found, <<"host">>, <<"expected a virtual host with mod_mqtt_rollup, got ", Host/binary>>})
    end.

-spec link_facts(binary()) -> [fact()].
link_facts(VHost) ->
    case mod_mqtt_rollup_port:info(VHost) of
        {ok, #{phase := Phase, restarts := Restarts, late := Late, problem := Problem}} ->
            [
                {<<"program">>, atom_to_binary(Phase, utf8)},
                {<<"program.restarts">>, integer_to_binary(Restarts)},
                {<<"program.late_replies">>, integer_to_binary(Late)}
            ] ++ [{<<"program.problem">>, show(Problem)} || Problem =/= none];
        {error, unavailable} ->
            [{<<"program">>, <<"down">>}]
    end.

%% The in-node link: what waits for the program, and what publishers have met.
-spec feed_facts(binary()) -> [fact()].
feed_facts(VHost) ->
    case mod_mqtt_rollup_feed:info(VHost) of
        %% When nothing waits it is a number, as the messages and bytes are: whoever draws it needs one.
        {ok, #{age_ms := null} = Info} -> facts(<<"feed.">>, Info#{age_ms := 0});
        {ok, Info} -> facts(<<"feed.">>, Info);
        {error, unavailable} -> []
    end.

-spec status_facts(map()) -> [fact()].
status_facts(Answer) ->
    #{streams := Streams, brokers := Brokers, history := History} = Answer,
    facts(<<>>, maps:without([streams, brokers, history], Answer)) ++
        lists:append([facts(<<"stream.", Name/binary, ".">>, S) || #{name := Name} = S <- Streams]) ++
        lists:append([facts(<<"broker.", Name/binary, ".">>, B) || #{name := Name} = B <- Brokers]) ++
        facts(<<"history.">>, History).

-spec facts(binary(), map()) -> [fact()].
facts(Prefix, Map) ->
    lists:append([fact(Prefix, Key, Value) || {Key, Value} <- lists:sort(maps:to_list(Map)), Key =/= name]).

-spec fact(binary(), atom(), term()) -> [fact()].
fact(Prefix, Key, Value) when is_map(Value) ->
    facts(<<Prefix/binary, (atom_to_binary(Key, utf8))/binary, ".">>, Value);
fact(Prefix, Key, Value) ->
    [{<<Prefix/binary, (atom_to_binary(Key, utf8))/binary>>, show(Value)}].

-spec show(term()) -> binary().
show(null) -> <<>>;
show(Value) when is_number(Value) -> mod_mqtt_rollup_text:number(Value);
show(Value) when is_atom(Value) -> atom_to_binary(Value, utf8);
%% A fact is a line; a problem may have several.
show(Value) when is_binary(Value) ->
    Lines = [string:trim(Line) || Line <- binary:split(Value, <<"\n">>, [global])],
    iolist_to_binary(lists:join(<<" ">>, [mod_mqtt_rollup_text:printable(Line) || Line <- Lines])).

%% Goes through all pages. Rows of a history carry their answer.
-spec all_rows(binary(), mod_mqtt_rollup_query:ask(), non_neg_integer(), [[term()]]) -> [term()].
all_rows(_, {Kind, _}, Count, _) when Count > ?ROWS_MAX ->
    Rows = integer_to_binary(?ROWS_MAX),
    {Place, Remedy} =
        case Kind of
            series -> {<<"filter">>, <<"choose a narrower one">>};
            history -> {<<"step">>, <<"choose a longer one, or a shorter last">>}
        end,
    fail({too_large, Place, <<"more than ", Rows/binary, " rows, ", Remedy/binary>>});
all_rows(VHost, {Kind, Question} = Ask, Count, Pages) ->
    case mod_mqtt_rollup_query:ask(VHost, everything, Ask) of
        {ok, #{rows := Rows, next := Next} = Answer} ->
            Page =
                case Kind of
                    series -> Rows;
                    history -> [{Answer, Row} || Row <- Rows]
                end,
            case Next of
                <<>> -> lists:append(lists:reverse([Page | Pages]));
                _ -> all_rows(VHost, {Kind, Question#{'after' := Next}}, Count + length(Rows), [Page | Pages])
            end;
        {error, Failure} ->
            fail(Failure)
    end.

-spec values([atom()], [number() | null], non_neg_integer()) -> binary().
values(Aggregates, Values, Decimals) ->
    Texts = lists:zipwith(
        fun(Aggregate, Value) -> mod_mqtt_rollup_text:statistic(Aggregate, Value, Decimals) end,
        Aggregates,
        Values
    ),
    iolist_to_binary(lists:join($;, Texts)).

-spec duration(binary(), binary()) -> pos_integer() | null.
duration(_, <<>>) ->
    null;
duration(Name, Text) ->
    case mod_mqtt_rollup_duration:parse(Text) of
        {ok, Ms} when Ms > 0 -> Ms;
        _ -> fail({bad_request, Name, <<"expected a duration such as 90s, 5m, 24h or 7d">>})
    end.

-spec aggregates(binary()) -> [atom()].
aggregates(<<>>) ->
    [];
aggregates(Text) ->
    Known = mod_mqtt_rollup_options:statistics(),
    Names = [string:trim(Name) || Name <- binary:split(Text, <<",">>, [global])],
    case [Found || Name <- Names, Found <- Known, atom_to_binary(Found, utf8) =:= Name] of
        Found when length(Found) =:= length(Names), Found =/= [] -> Found;
        _ ->
            All = lists:join(",", [atom_to_list(Each) || Each <- Known]),
            fail({bad_request, <<"aggregates">>, iolist_to_binary(["expected some of ", All])})
    end.

-spec fail(mod_mqtt_rollup_query:failure()) -> no_return().
fail({alike, Place, Names}) ->
    fail({not_found, Place, <<"there is no series of this name, did you mean ", Names/binary>>});
fail({Code, Place, Message}) ->
    {Type, Number} = refusal_type(Code),
    throw({error, Type, Number, iolist_to_binary([[[Place, ": "] || Place =/= <<>>], Message, remedy(Code)])}).

-spec refusal_type(atom()) -> {Type :: atom(), Code :: 400..599}.
refusal_type(not_found) -> {not_exists, 404};
refusal_type(bad_request) -> {invalid_parameter, 400};
refusal_type(too_large) -> {invalid_parameter, 400};
refusal_type(Code) -> {Code, 500}.

%% What is wrong with an argument says what was expected; these do not.
-spec remedy(atom()) -> binary().
remedy(unavailable) -> <<"; mqtt_rollup_status tells why">>;
remedy(timeout) -> <<"; try again, or see mqtt_rollup_status">>;
remedy(_) -> <<>>.
