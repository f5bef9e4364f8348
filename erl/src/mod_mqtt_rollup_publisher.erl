%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc Publishes at this virtual host's mod_mqtt what the program has for it, in the name of nobody: an
%% empty user name, which no account can have. One process, so that publications keep their order. The
%% program is told how many were refused; people are told once for each kind of topic.
-module(mod_mqtt_rollup_publisher).

-behaviour(gen_server).

%% API
-export([start_link/1, publish/3, status/2]).
%% gen_server callbacks
-export([init/1, handle_continue/2, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-include("logger.hrl").
-include("mqtt.hrl").

-define(NEVER, 16#FFFFFFFF).
-define(STATUS_TOPIC, <<"rollup/status">>).
%% Kinds of topics that were logged.
-define(REFUSED_MAX, 100).

-record(state, {
    vhost :: binary(),
    status = offline :: online | offline,
    %% What was refused and logged.
    refused = #{} :: #{{Kind :: binary(), Reason :: term()} => true}
}).

-type state() :: #state{}.

%%%===================================================================
%%% API
%%%===================================================================

-spec start_link(binary()) -> {ok, pid()} | {error, term()} | ignore.
start_link(VHost) ->
    gen_server:start_link({local, name(VHost)}, ?MODULE, VHost, []).

%% @doc Publishes what the program at a port sends; the owner of the port gets the answer.
-spec publish(binary(), port(), [mod_mqtt_rollup_wire:publication(), ...]) -> ok.
publish(VHost, Port, Publications) ->
    gen_server:cast(name(VHost), {publish, Port, Publications}).

%% @doc Publishes whether the program runs, as the links to other brokers do.
-spec status(binary(), online | offline) -> ok.
status(VHost, Status) ->
    gen_server:cast(name(VHost), {status, Status}).

%%%===================================================================
%%% gen_server callbacks
%%%===================================================================

-spec init(binary()) -> {ok, state()} | {ok, state(), {continue, offline}}.
init(VHost) ->
    process_flag(trap_exit, true),
    mod_mqtt_rollup_feed_hook:no_local(),
    State = #state{vhost = VHost},
    case mod_mqtt_rollup_config:feed(VHost, gen_mod:get_module_opts(VHost, mod_mqtt_rollup)) of
        none -> {ok, State};
        _ -> {ok, State, {continue, offline}}
    end.

%% An earlier run may have had no time to say so.
-spec handle_continue(offline, state()) -> {noreply, state()}.
handle_continue(offline, #state{vhost = VHost} = State) ->
    lists:foreach(fun(Text) -> ?WARNING_MSG("mod_mqtt_rollup at ~ts: ~ts", [VHost, Text]) end, open_doors(VHost)),
    {noreply, publish_status(offline, State)}.

-spec handle_call(term(), gen_server:from(), state()) -> {noreply, state()}.
handle_call(Request, From, State) ->
    ?WARNING_MSG("Unexpected call from ~p: ~p", [From, Request]),
    {noreply, State}.

-spec handle_cast(term(), state()) -> {noreply, state()}.
handle_cast({publish, Port, Publications}, #state{vhost = VHost} = State) ->
    {Refused, State1} = lists:foldl(fun publish_one/2, {0, State}, Publications),
    mod_mqtt_rollup_port:published(VHost, Port, length(Publications), Refused),
    {noreply, State1};
handle_cast({status, Status}, #state{status = Status} = State) ->
    {noreply, State};
handle_cast({status, Status}, State) ->
    {noreply, publish_status(Status, State)};
handle_cast(Message, State) ->
    ?WARNING_MSG("Unexpected cast: ~p", [Message]),
    {noreply, State}.

-spec handle_info(term(), state()) -> {noreply, state()}.
handle_info(Message, State) ->
    ?WARNING_MSG("Unexpected info: ~p", [Message]),
    {noreply, State}.

-spec terminate(term(), state()) -> ok.
terminate(_Reason, #state{status = offline}) ->
    ok;
terminate(_Reason, State) ->
    _ = publish_status(offline, State),
    ok.

%%%===================================================================
%%% Internal functions
%%%===================================================================

%% Who else could publish what only the module should.
-spec open_doors(binary()) -> [string()].
open_doors(VHost) ->
    case gen_mod:is_loaded(VHost, mod_mqtt) andalso mod_mqtt_opt:access_publish(VHost) of
        false ->
            [];
        [] ->
            ["every user may publish on alerts/# and stats/# and so forge alert states and summaries: mod_mqtt has "
             "no access_publish. Give it rules as in the README of the module"];
        _ ->
            ["with anonymous authentication a user name can be empty once it is normalised (such as U+00AD), as that of "
             "the module is, and meets the same rules of access_publish: let sensors and guests use another "
             "virtual host" || lists:member(anonymous, ejabberd_option:auth_method(VHost))]
    end.

-spec publish_status(online | offline, state()) -> state().
publish_status(Status, State) ->
    Payload = atom_to_binary(Status, utf8),
    {_, State1} = publish_one({?STATUS_TOPIC, Payload, 1, true, none, <<>>}, {0, State}),
    State1#state{status = Status}.

-spec publish_one(mod_mqtt_rollup_wire:publication(), {non_neg_integer(), state()}) ->
    {non_neg_integer(), state()}.
publish_one({Topic, _, _, _, _, _} = Publication, {Refused, #state{vhost = VHost} = State}) ->
    case hand_over(VHost, Publication) of
        ok -> {Refused, State};
        {error, Reason} -> {Refused + 1, refused(Topic, Reason, State)}
    end.

%% Whatever mod_mqtt has to say, the program is to be answered.
-spec hand_over(binary(), mod_mqtt_rollup_wire:publication()) -> ok | {error, term()}.
hand_over(VHost, {Topic, Payload, Qos, Retain, Expiry, ContentType}) ->
    try
        Publish = #publish{
            topic = mqtt_codec:topic(Topic),
            payload = Payload,
            qos = Qos,
            retain = Retain,
            properties = properties(Payload, Expiry, ContentType)
        },
        case gen_mod:is_loaded(VHost, mod_mqtt) of
            true -> mod_mqtt:publish({<<>>, VHost, <<"mqtt_rollup">>}, Publish, expiry_time(Expiry));
            false -> {error, not_loaded}
        end
    of
        {ok, _} -> ok;
        {error, Reason} -> {error, Reason}
    catch
        Class:Reason -> {error, {Class, Reason}}
    end.

-spec properties(binary(), pos_integer() | none, binary()) -> properties().
properties(Payload, Expiry, ContentType) ->
    maps:from_list(
        [{message_expiry_interval, min(Expiry, ?NEVER)} || Expiry =/= none] ++
            [{content_type, ContentType} || ContentType =/= <<>>] ++
            [{payload_format_indicator, utf8} || is_text(Payload, ContentType)]
    ).

%% Brokers and clients may end the connection over a payload that is called text and is not.
-spec is_text(binary(), binary()) -> boolean().
is_text(Payload, <<"text/", _/binary>>) -> is_utf8(Payload);
is_text(Payload, <<"application/json">>) -> is_utf8(Payload);
is_text(_, _) -> false.

-spec is_utf8(binary()) -> boolean().
is_utf8(Payload) ->
    unicode:characters_to_binary(Payload) =:= Payload.

-spec expiry_time(pos_integer() | none) -> non_neg_integer().
expiry_time(none) -> ?NEVER;
expiry_time(Seconds) -> min(erlang:system_time(second) + Seconds, ?NEVER).

%% There may be a topic for each of many series: what they begin with is enough to find the rule.
-spec refused(binary(), term(), state()) -> state().
refused(Topic, Reason, #state{vhost = VHost, refused = Refused} = State) ->
    [Level | Rest] = binary:split(mod_mqtt_rollup_text:printable(Topic), <<"/">>),
    Kind =
        case Rest of
            [] -> Level;
            _ -> <<Level/binary, "/#">>
        end,
    case maps:is_key({Kind, Reason}, Refused) orelse map_size(Refused) >= ?REFUSED_MAX of
        true ->
            State;
        false ->
            log(VHost, Kind, Reason),
            State#state{refused = Refused#{{Kind, Reason} => true}}
    end.

-spec log(binary(), binary(), term()) -> ok.
log(VHost, Kind, publish_forbidden) ->
    ?WARNING_MSG(
        "mod_mqtt_rollup at ~ts: mod_mqtt refuses what is published on ~ts. Add to its option access_publish "
        "a rule for \"~ts\" that allows an empty user name, such as {allow: {user_regexp: \"^$\"}}",
        [VHost, Kind, Kind]
    );
log(VHost, Kind, not_loaded) ->
    ?WARNING_MSG(
        "mod_mqtt_rollup at ~ts: nothing is published on ~ts because mod_mqtt is not loaded", [VHost, Kind]
    );
log(VHost, Kind, Reason) ->
    ?WARNING_MSG("mod_mqtt_rollup at ~ts: mod_mqtt does not publish on ~ts: ~0P", [VHost, Kind, Reason, 10]).

-spec name(binary()) -> atom().
name(VHost) ->
    gen_mod:get_module_proc(VHost, ?MODULE).
