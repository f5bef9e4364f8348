%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc From the validated options of a virtual host to the configuration of the program
%% (docs/PROTOCOL.md: Rules and Broker) and of the feed, with every default filled in. Only data_dir/2,
%% feed/2 and program/1 ask the running system for anything.
-module(mod_mqtt_rollup_config).

-export([defaults/1, rules/1, brokers/2, feed/2, uses_feed/1, data_dir/2, program/1]).
-export([problems/1, format_problems/1]).

-export_type([options/0, rules/0, broker/0, feed/0, problem/0]).

-type options() :: #{atom() => term()}.
-type rules() :: #{atom() => term()}.
-type broker() :: #{atom() => term()}.
%% What mod_mqtt_rollup_feed works with.
-type feed() :: #{
    filters := [binary()],
    dir := file:filename_all(),
    memory := pos_integer(),
    disk := pos_integer(),
    payload := pos_integer()
}.
%% Place is the path of an option below the module, as in docs/PROTOCOL.md.
-type problem() :: {Place :: binary(), Message :: unicode:chardata()}.

%% The broker of streams that name none: the virtual host's own mod_mqtt.
-define(OWN_BROKER, <<"ejabberd">>).

%% @doc The defaults of the module's options, as gen_mod wants them.
-spec defaults(binary()) -> [{atom(), term()}].
defaults(VHost) ->
    Following = #{
        host => <<"rollup.", VHost/binary>>,
        program => undefined,
        data_dir => undefined,
        timezone => <<>>,
        language => ejabberd_option:language(VHost)
    },
    maps:to_list(mod_mqtt_rollup_options:fill(module, #{}, Following)).

%% @doc What is to be computed.
-spec rules(options()) -> rules().
rules(Options) ->
    #{
        timezone => maps:get(timezone, Options),
        language => maps:get(language, Options),
        limits => limits(maps:get(limits, Options)),
        streams => [{Name, stream(Stream)} || {Name, Stream} <- maps:get(streams, Options)],
        alerts => [{Name, alert(Alert)} || {Name, Alert} <- maps:get(alerts, Options)]
    }.

%% @doc How the brokers are reached; the own one inside ejabberd only if it is used, because a program
%% that has it waits for its feed. Passwords are funs, which mod_mqtt_rollup_wire:encode/1 opens.
-spec brokers(binary(), options()) -> [broker()].
brokers(VHost, Options) ->
    [
        broker(VHost, Name, Broker)
     || {Name, Broker} <- given_brokers(Options),
        Name =/= ?OWN_BROKER orelse is_map_key(host, Broker) orelse uses_feed(Options)
    ].

%% @doc What the feed has to do, unless `ejabberd' is reached as a client or not used.
-spec feed(binary(), options()) -> none | feed().
feed(VHost, #{limits := Given, streams := Streams} = Options) ->
    case uses_feed(Options) of
        true ->
            #{queue_memory := Memory, queue_disk := Disk, payload := Payload} =
                mod_mqtt_rollup_options:fill(limits, Given, #{}),
            #{
                filters => lists:usort([
                    mqtt_filter(Topic)
                 || {_, #{topic := Topic} = Stream} <- Streams,
                    maps:get(broker, Stream, ?OWN_BROKER) =:= ?OWN_BROKER
                ]),
                dir => filename:join(data_dir(VHost, Options), "feed"),
                memory => Memory,
                disk => Disk,
                payload => Payload
            };
        false ->
            none
    end.

%% @doc Does any stream or output need this virtual host's mod_mqtt?
-spec uses_feed(options()) -> boolean().
uses_feed(#{streams := Streams} = Options) ->
    has_feed(Options) andalso
        lists:any(
            fun({Name, Stream}) -> lists:keymember(?OWN_BROKER, 2, broker_uses(Name, Stream)) end, Streams
        ).

%% @doc Where the history of the virtual host lives.
-spec data_dir(binary(), options()) -> file:filename_all().
data_dir(VHost, #{data_dir := undefined}) ->
    filename:join([mnesia:system_info(directory), "mqtt_rollup", VHost]);
data_dir(_VHost, #{data_dir := Dir}) ->
    Dir.

%% @doc The path of the program: as configured, or beside the directory of this module's code.
-spec program(options()) -> file:filename_all().
program(#{program := undefined}) ->
    Root = filename:dirname(filename:dirname(code:which(?MODULE))),
    filename:join([Root, "priv", "bin", "mqtt_rollup"]);
program(#{program := Path}) ->
    Path.

%% @doc Mistakes that concern several options and that need no program to be seen.
-spec problems(options()) -> [problem()].
problems(#{streams := Streams} = Options) ->
    Brokers = given_brokers(Options),
    Names = [Name || {Name, _} <- Brokers],
    Uses = lists:append([broker_uses(Name, Stream) || {Name, Stream} <- Streams]),
    [{Place, broker_missing(Broker, Names)} || {Place, Broker} <- Uses, not lists:member(Broker, Names)] ++
        lists:append([host_problems(Name, Broker) || {Name, Broker} <- Brokers]) ++
        client_id_problems([broker(<<>>, Name, Broker) || {Name, #{host := _} = Broker} <- Brokers]).

%% @doc One line for each problem, with the path that people know from ejabberd's messages.
-spec format_problems([problem()]) -> unicode:chardata().
format_problems(Problems) ->
    lists:join($\n, [[path(Place), ": ", Message] || {Place, Message} <- Problems]).

%%%===================================================================
%%% Rules
%%%===================================================================

%% Those of the feed are not for the program.
-spec limits(map()) -> map().
limits(Given) ->
    maps:without([queue_memory, queue_disk], mod_mqtt_rollup_options:fill(limits, Given, #{})).

-spec stream(map()) -> map().
stream(Given) ->
    Publish = maps:get(publish, Given, [#{topic => <<"stats/{series}">>}]),
    #{resolution_ms := Resolution, broker := Broker, keep := Keep} =
        Stream = mod_mqtt_rollup_options:fill(stream, Given, #{time => <<>>}),
    (maps:without(maps:keys(field(#{}, <<>>)), Stream))#{
        fields => fields(Given),
        keep := mod_mqtt_rollup_options:fill(keep, Keep, #{}),
        publish => [output(Output, Resolution, Broker) || Output <- Publish]
    }.

%% The value of a field is the member of its name, unless it says otherwise; the only value of a
%% stream is the whole payload.
-spec fields(map()) -> [{binary(), map()}].
fields(#{fields := Fields}) ->
    [{Name, field(Field, <<"/", Name/binary>>)} || {Name, Field} <- Fields];
fields(Stream) ->
    [{<<>>, field(Stream, <<>>)}].

-spec field(map(), binary()) -> map().
field(Given, Pointer) ->
    mod_mqtt_rollup_options:fill(value, Given, #{value => Pointer}).

-spec output(map(), pos_integer(), binary()) -> map().
output(Given, Resolution, Broker) ->
    #{window_ms := Window, sparkline := Sparkline} =
        Output = mod_mqtt_rollup_options:fill(output, Given, #{every => Resolution, broker => Broker}),
    maps:merge(#{expiry_ms => 2 * Window}, Output#{sparkline := sparkline(Sparkline)}).

-spec sparkline(none | map()) -> none | {pos_integer(), pos_integer()}.
sparkline(none) ->
    none;
sparkline(Given) ->
    #{span_ms := Span, points := Points} = mod_mqtt_rollup_options:fill(sparkline, Given, #{}),
    {Span, Points}.

-spec alert(map()) -> map().
alert(Given) ->
    #{match := Match, topic := Topic} =
        Alert = mod_mqtt_rollup_options:fill(alert, Given, #{'clear' => <<>>, message => <<>>}),
    Alert#{match := lists:sort(Match), topic := alert_topic(Topic)}.

-spec alert_topic(binary()) -> binary().
alert_topic(<<"none">>) -> <<>>;
alert_topic(Topic) -> Topic.

%%%===================================================================
%%% Brokers
%%%===================================================================

%% The own broker needs not to be written down.
-spec given_brokers(options()) -> [{binary(), map()}].
given_brokers(#{brokers := Brokers}) ->
    case lists:keymember(?OWN_BROKER, 1, Brokers) of
        true -> Brokers;
        false -> [{?OWN_BROKER, #{}} | Brokers]
    end.

-spec has_feed(options()) -> boolean().
has_feed(Options) ->
    {_, Own} = lists:keyfind(?OWN_BROKER, 1, given_brokers(Options)),
    not maps:is_key(host, Own).

%% A stream's topic as MQTT knows it. Whether it is a right one the program has said.
-spec mqtt_filter(binary()) -> binary().
mqtt_filter(Topic) ->
    Levels = [mqtt_level(Level) || Level <- binary:split(Topic, <<"/">>, [global])],
    iolist_to_binary(lists:join($/, Levels)).

-spec mqtt_level(binary()) -> binary().
mqtt_level(<<"{", Rest/binary>> = Level) when Rest =/= <<>> ->
    case binary:last(Rest) of
        $} -> <<"+">>;
        _ -> Level
    end;
mqtt_level(Level) ->
    Level.

-spec broker(binary(), binary(), map()) -> broker().
broker(_, ?OWN_BROKER = Name, Given) when not is_map_key(host, Given) ->
    #{name => Name, link => feed};
broker(VHost, Name, #{host := _} = Given) ->
    Tls = broker_tls(maps:get(tls, Given, false)),
    Following = #{port => default_port(Tls), client_id => <<"mqtt_rollup-", VHost/binary>>},
    (mod_mqtt_rollup_options:fill(broker, Given, Following))#{name => Name, link => client, tls := Tls}.

-spec default_port(none | map()) -> inet:port_number().
default_port(none) -> 1883;
default_port(_) -> 8883.

-spec broker_tls(boolean() | map()) -> none | map().
broker_tls(false) -> none;
broker_tls(true) -> broker_tls(#{});
broker_tls(Given) -> mod_mqtt_rollup_options:fill(tls, Given, #{}).

-spec broker_uses(binary(), map()) -> [{Place :: binary(), Broker :: binary()}].
broker_uses(Name, Stream) ->
    Place = <<"streams->", Name/binary>>,
    Broker = maps:get(broker, Stream, ?OWN_BROKER),
    Outputs = maps:get(publish, Stream, []),
    Numbered = lists:zip(lists:seq(1, length(Outputs)), Outputs),
    [{<<Place/binary, "->broker">>, Broker}] ++
        [
            {<<Place/binary, "->publish->", (integer_to_binary(N))/binary, "->broker">>, Other}
         || {N, #{broker := Other}} <- Numbered, Other =/= Broker
        ].

-spec broker_missing(binary(), [binary()]) -> iolist().
broker_missing(Broker, Names) ->
    [
        "Unknown broker: ",
        Broker,
        ". Did you mean ",
        misc:best_match(Broker, Names),
        "? The brokers are: ",
        lists:join(", ", lists:sort(Names))
    ].

-spec host_problems(binary(), map()) -> [problem()].
host_problems(_, #{host := _}) ->
    [];
host_problems(?OWN_BROKER, Given) ->
    case lists:sort(maps:keys(Given)) of
        [] ->
            [];
        [Option | _] = Names ->
            [
                {<<"brokers->ejabberd->", (atom_to_binary(Option, utf8))/binary>>, [
                    "The broker 'ejabberd' without a host is this virtual host's own mod_mqtt, which is "
                    "reached inside ejabberd and needs no account. Remove ",
                    lists:join(", ", [atom_to_binary(Name, utf8) || Name <- Names]),
                    ", or add a host to reach it as an MQTT client"
                ]}
            ]
    end;
host_problems(Name, _) ->
    [{<<"brokers->", Name/binary>>, "Missing required option: host"}].

%% Two links with one client id would throw each other out for ever.
-spec client_id_problems([broker()]) -> [problem()].
client_id_problems(Brokers) ->
    Key = fun(#{host := Host, port := Port, client_id := Id}) -> {Host, Port, Id} end,
    {_, Problems} = lists:foldl(
        fun(#{name := Name} = Broker, {Seen, Found}) ->
            case maps:find(Key(Broker), Seen) of
                {ok, First} ->
                    Place = <<"brokers->", Name/binary, "->client_id">>,
                    Message = ["The broker '", First, "' has the same host, port and client_id"],
                    {Seen, [{Place, Message} | Found]};
                error ->
                    {Seen#{Key(Broker) => Name}, Found}
            end
        end,
        {#{}, []},
        Brokers
    ),
    lists:reverse(Problems).

-spec path(binary()) -> iolist().
path(<<>>) -> ["modules->mod_mqtt_rollup"];
path(Place) -> ["modules->mod_mqtt_rollup->", Place].
