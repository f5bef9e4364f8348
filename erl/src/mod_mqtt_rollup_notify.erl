%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc Alerts as chat messages. The beginning of an alarm is a message, its end corrects that message
%% (XEP-0308); a client makes no sound for a correction, so a new message may come too.
-module(mod_mqtt_rollup_notify).

-behaviour(gen_server).

%% API
-export([start_link/1, deliver/4, messages/4]).
%% gen_server callbacks
-export([init/1, handle_call/3, handle_cast/2]).

-include("logger.hrl").
-include("xmpp.hrl").

-define(NS_CORRECT, <<"urn:xmpp:message-correct:0">>).
%% What is older gets a stamp that says when it happened.
-define(DELAYED_MS, 60000).
-define(REFUSED_MAX, 1000).

-record(state, {
    vhost :: binary(),
    %% Who was refused an alert already, and has been logged.
    refused = #{} :: #{{Jid :: binary(), Topic :: binary()} => true}
}).

-type state() :: #state{}.

-spec start_link(binary()) -> {ok, pid()} | {error, term()} | ignore.
start_link(VHost) ->
    gen_server:start_link({local, name(VHost)}, ?MODULE, VHost, []).

%% @doc Sends a notification of the program at a port to everybody it is for; the owner of the port gets the
%% answer. The program's credit bounds how many wait here.
-spec deliver(binary(), port(), OutboxId :: integer(), Notification :: map()) -> ok.
deliver(VHost, Port, OutboxId, Notification) ->
    gen_server:cast(name(VHost), {deliver, Port, OutboxId, Notification}).

-spec init(binary()) -> {ok, state()}.
init(VHost) ->
    {ok, #state{vhost = VHost}}.

-spec handle_call(term(), gen_server:from(), state()) -> {noreply, state()}.
handle_call(Request, From, State) ->
    ?WARNING_MSG("Unexpected call from ~p: ~p", [From, Request]),
    {noreply, State}.

-spec handle_cast(term(), state()) -> {noreply, state()}.
handle_cast({deliver, Port, OutboxId, Notification}, #state{vhost = VHost} = State) ->
    case erlang:port_info(Port, id) of
        undefined ->
            %% The next run of the program sends it again.
            {noreply, State};
        {id, _} ->
            Options = gen_mod:get_module_opts(VHost, mod_mqtt_rollup),
            Next = lists:foldl(
                fun(Address, S) -> tell(Address, Options, Notification, S) end,
                State,
                maps:get(to, Notification)
            ),
            mod_mqtt_rollup_port:notified(VHost, Port, OutboxId),
            {noreply, Next}
    end.

%% What cannot be delivered is the router's business.
-spec tell(binary(), mod_mqtt_rollup_config:options(), map(), state()) -> state().
tell(Address, #{host := MyHost, language := Lang}, #{topic := Topic} = Notification, State) ->
    #state{vhost = VHost} = State,
    From = jid:make(<<"alerts">>, MyHost),
    try jid:decode(Address) of
        Jid ->
            case mod_mqtt_rollup_access:may_be_told(VHost, Jid, Topic) of
                true ->
                    Now = erlang:system_time(millisecond),
                    Messages = messages(From, Jid, Lang, Notification),
                    [ejabberd_router:route(stamp(M, Notification, From, Now)) || M <- Messages],
                    State;
                false ->
                    refused({Address, Topic}, State)
            end
    catch
        error:{bad_jid, _} -> State
    end.

-spec refused({binary(), binary()}, state()) -> state().
refused(Key, #state{refused = Refused} = State) when is_map_key(Key, Refused) ->
    State;
refused(Key, #state{refused = Refused} = State) when map_size(Refused) >= ?REFUSED_MAX ->
    refused(Key, State#state{refused = #{}});
refused({Address, Topic} = Key, #state{vhost = VHost, refused = Refused} = State) ->
    ?WARNING_MSG(
        "mod_mqtt_rollup at ~ts: ~ts gets no alerts about ~ts: mod_mqtt would not let them subscribe to it",
        [VHost, Address, mod_mqtt_rollup_text:printable(Topic)]
    ),
    State#state{refused = Refused#{Key => true}}.

%% @doc The messages of a notification for one recipient. Their ids are the same if the notification
%% is sent once more after a crash.
-spec messages(jid:jid(), jid:jid(), binary(), map()) -> [message()].
messages(From, To, Lang, #{id := Id, body := Body} = Notification) ->
    Message = #message{
        id = Id, type = chat, lang = Lang, from = From, to = To, body = xmpp:mk_text(mod_mqtt_rollup_text:xml(Body))
    },
    case Notification of
        #{phase := ok, replaces := Replaced, fresh := Fresh} when Replaced =/= <<>> ->
            Correction = Message#message{
                sub_els = [
                    #xmlel{
                        name = <<"replace">>,
                        attrs = [{<<"xmlns">>, ?NS_CORRECT}, {<<"id">>, Replaced}]
                    }
                ]
            },
            [Correction | [Message#message{id = <<Id/binary, "-end">>} || Fresh]];
        _ ->
            [Message]
    end.

-spec stamp(message(), map(), jid:jid(), integer()) -> message().
stamp(Message, #{at_ms := At}, #jid{lserver = MyHost}, Now) when is_integer(At), Now - At > ?DELAYED_MS ->
    Stamp = {At div 1000000000, (At div 1000) rem 1000000, (At rem 1000) * 1000},
    misc:add_delay_info(Message, jid:make(MyHost), Stamp);
stamp(Message, _, _, _) ->
    Message.

-spec name(binary()) -> atom().
name(VHost) ->
    gen_mod:get_module_proc(VHost, ?MODULE).
