%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc What is published at this virtual host's mod_mqtt, on its way to the process of the feed. The
%% hook runs in the process of the publisher, looks whether any stream wants the topic, and sends the
%% message to the process.
%%
%% Nobody waits for the program. What is in the mailbox of the process is counted in bytes; only when
%% that or the queue is full do publishers of QoS 1 and 2 wait for a moment, and QoS 0 is dropped.
%%
%% The process gets
%%   {publish, message(), Size}              a message; taken/2 gives its bytes back
%%   a call {publish, message(), Size, Deadline}    the same of a publisher that waits for `ok' or `dropped'
%%   {lost, Topic}                           messages were dropped, see lost/1
%%   {'DOWN', _, process, _, Reason}         retained messages were read
-module(mod_mqtt_rollup_feed_hook).

%% Hook
-export([mqtt_publish/3, no_local/0]).
%% The process's side
-export([new/1, want/3, close/1, hand_over/1, is_wanting/1, filters/1]).
-export([receive_more/2, taken/2, remind/1, lost/1, tell_room/2, totals/1]).

-export_type([state/0, totals/0]).

-include("logger.hrl").
-include("mqtt.hrl").

-define(SEQ, 50).
%% How long a publisher waits for room, and for the process to say so.
-define(WAIT, 5000).
-define(WAIT_CALL, 7000).
%% How long publishers wait for another process to take over, and how often they look.
-define(HAND_OVER, 5000).
-define(HAND_OVER_LOOK, 5).
%% What may be in the mailbox: messages, and with those of publishers who wait for an answer.
-define(MAILBOX_BYTES, 8 * 1024 * 1024).
-define(MAILBOX_BYTES_MAX, 32 * 1024 * 1024).
%% Messages that are taken at once.
-define(BATCH, 100).
-define(NEVER, 16#FFFFFFFF).
%% In the process dictionary of a publisher that is not to be heard.
-define(NO_LOCAL, '$mod_mqtt_rollup_no_local').
%% In the process dictionary of a publisher: its last name, and how that is encoded.
-define(PUBLISHER, '$mod_mqtt_rollup_publisher').

%% Slots of the atomics that both sides use.
-define(MAILBOX, 1).
-define(FULL, 2).
-define(LOST, 3).
-define(LOST_TOLD, 4).

%% Slots of the counters.
-define(SEEN, 1).
-define(WANTED, 2).
-define(EXPIRED, 3).
-define(WAITED, 4).
-define(DROPPED, 5).

%% What publishers work with, a persistent term.
-record(hook, {
    pid :: pid(),
    wanted :: mqtree:tree(),
    payload_max :: pos_integer(),
    flow :: atomics:atomics_ref(),
    totals :: counters:counters_ref()
}).

%% What the process has of it.
-record(state, {
    vhost :: binary(),
    hook :: #hook{},
    %% Those whose messages are collected.
    filters = [] :: [binary()],
    is_hooked = false :: boolean()
}).

-opaque state() :: #state{}.

%% What publishers have met since the process began.
-type totals() :: #{
    seen := non_neg_integer(),
    wanted := non_neg_integer(),
    expired := non_neg_integer(),
    waited := non_neg_integer(),
    dropped := non_neg_integer()
}.

%%%===================================================================
%%% The publisher's process
%%%===================================================================

%% @doc Runs for everything that anybody publishes. Whatever is wrong here must not concern them.
-spec mqtt_publish(jid:ljid(), publish(), non_neg_integer()) -> ok.
mqtt_publish({_, VHost, _} = Publisher, Publish, ExpiryTime) ->
    try hear(persistent_term:get({?MODULE, VHost}, none), Publisher, Publish, ExpiryTime) of
        ok ->
            ok;
        wait ->
            timer:sleep(?HAND_OVER_LOOK),
            %% It may be other code by now.
            ?MODULE:mqtt_publish(Publisher, Publish, ExpiryTime)
    catch
        _:_ -> ok
    end.

%% @doc What the calling process publishes is not collected.
-spec no_local() -> ok.
no_local() ->
    _ = put(?NO_LOCAL, true),
    ok.

-spec hear(none | #hook{} | {handed_over, Until :: integer(), #hook{}}, jid:ljid(), publish(), non_neg_integer()) ->
    ok | wait.
hear(none, _, _, _) ->
    ok;
hear({handed_over, Until, #hook{wanted = Wanted}}, _, #publish{topic = Topic}, _) ->
    case mqtree:match(Wanted, Topic) =/= [] andalso erlang:monotonic_time(millisecond) < Until of
        true -> wait;
        false -> ok
    end;
hear(#hook{wanted = Wanted, totals = Totals} = Hook, Publisher, #publish{topic = Topic} = Publish, ExpiryTime) ->
    counters:add(Totals, ?SEEN, 1),
    case mqtree:match(Wanted, Topic) =/= [] andalso get(?NO_LOCAL) =/= true of
        true -> collect(Hook, Publisher, Publish, ExpiryTime);
        false -> ok
    end.

-spec collect(#hook{}, jid:ljid(), publish(), non_neg_integer()) -> ok.
collect(#hook{totals = Totals} = Hook, Publisher, Publish, ExpiryTime) ->
    counters:add(Totals, ?WANTED, 1),
    case ExpiryTime =/= ?NEVER andalso ExpiryTime =< erlang:system_time(second) of
        true -> counters:add(Totals, ?EXPIRED, 1);
        false -> collect(Hook, encoded(Publisher), Publish, 0, Publish#publish.qos)
    end.

%% Most processes publish in one name only, and encoding it takes longer than all the rest.
-spec encoded(jid:ljid()) -> binary().
encoded(Publisher) ->
    case get(?PUBLISHER) of
        {Publisher, Encoded} ->
            Encoded;
        _ ->
            Encoded = jid:encode(Publisher),
            _ = put(?PUBLISHER, {Publisher, Encoded}),
            Encoded
    end.

%% The clock is the one that the program looks at. Erlang's own time may be minutes or hours behind it
%% after the clock was set. Only expiry times are Erlang's, as mod_mqtt has made them.
-spec collect(#hook{}, binary(), publish(), 0..1, 0..2) -> ok.
collect(#hook{flow = Flow} = Hook, Publisher, #publish{topic = Topic0, payload = Payload0}, Flags, Qos) ->
    Topic = own(Topic0),
    Payload = own(cut(Payload0, Hook#hook.payload_max)),
    Size = mod_mqtt_rollup_feed_queue:bytes(Topic, Payload, Publisher),
    case atomics:get(Flow, ?FULL) =:= 0 andalso reserve(Flow, Size, ?MAILBOX_BYTES) of
        true ->
            Hook#hook.pid ! {publish, {Topic, Payload, os:system_time(millisecond), Flags, Publisher}, Size},
            ok;
        false ->
            case Qos > 0 andalso reserve(Flow, Size, ?MAILBOX_BYTES_MAX) of
                true -> wait(Hook, {Topic, Payload, os:system_time(millisecond), Flags, Publisher}, Size);
                false -> drop(Hook, Topic)
            end
    end.

-spec reserve(atomics:atomics_ref(), pos_integer(), pos_integer()) -> boolean().
reserve(Flow, Size, Max) ->
    case atomics:add_get(Flow, ?MAILBOX, Size) - Size < Max of
        true ->
            true;
        false ->
            atomics:sub(Flow, ?MAILBOX, Size),
            false
    end.

%% The process decides whether there is room in time, and counts what is dropped.
-spec wait(#hook{}, mod_mqtt_rollup_feed_queue:message(), pos_integer()) -> ok.
wait(#hook{pid = Pid, totals = Totals}, Message, Size) ->
    counters:add(Totals, ?WAITED, 1),
    Deadline = erlang:monotonic_time(millisecond) + ?WAIT,
    try gen_server:call(Pid, {publish, Message, Size, Deadline}, ?WAIT_CALL) of
        ok -> ok;
        dropped -> counters:add(Totals, ?DROPPED, 1)
    catch
        exit:_ -> counters:add(Totals, ?DROPPED, 1)
    end.

%% At most one message about what was dropped is on its way.
-spec drop(#hook{}, binary()) -> ok.
drop(#hook{pid = Pid, flow = Flow, totals = Totals}, Topic) ->
    counters:add(Totals, ?DROPPED, 1),
    atomics:add(Flow, ?LOST, 1),
    case atomics:exchange(Flow, ?LOST_TOLD, 1) of
        0 ->
            Pid ! {lost, Topic},
            ok;
        1 ->
            ok
    end.

%% The program drops what is longer than its limit, and needs no more to see that.
-spec cut(binary(), pos_integer()) -> binary().
cut(Payload, Max) when byte_size(Payload) > Max -> binary:part(Payload, 0, Max + 1);
cut(Payload, _) -> Payload.

%% Most binaries are parts of what the socket has read and would keep all of that in memory.
-spec own(binary()) -> binary().
own(Bin) ->
    case binary:referenced_byte_size(Bin) > 2 * byte_size(Bin) of
        true -> binary:copy(Bin);
        false -> Bin
    end.

%%%===================================================================
%%% The process's side
%%%===================================================================

%% @doc Of the calling process; nothing is wanted yet.
-spec new(binary()) -> state().
new(VHost) ->
    #state{
        vhost = VHost,
        hook = #hook{
            pid = self(),
            wanted = mqtree:new(),
            payload_max = 1,
            flow = atomics:new(4, [{signed, true}]),
            totals = counters:new(5, [write_concurrency])
        }
    }.

%% @doc Collects from now on what matches one of these filters, with what is retained for new ones, and
%% of payloads what is needed to see that they are longer than this. Without filters it is not in the
%% way of publishers.
-spec want([binary()], none | pos_integer(), state()) -> state().
want(Filters, PayloadMax, #state{vhost = VHost, filters = Old, hook = Hook0} = State) ->
    Hook =
        case PayloadMax of
            none -> Hook0;
            _ -> Hook0#hook{payload_max = PayloadMax}
        end,
    New = [Filter || Filter <- Filters -- Old, insert(Filter, Hook#hook.wanted)],
    Gone = Old -- Filters,
    lists:foreach(fun(Filter) -> mqtree:delete(Hook#hook.wanted, Filter) end, Gone),
    %% Replacing the same term costs nothing.
    persistent_term:put({?MODULE, VHost}, Hook),
    State1 = State#state{filters = (Old -- Gone) ++ New, hook = Hook},
    State2 =
        case is_wanting(State1) of
            true -> hook(State1);
            false -> unhook(State1)
        end,
    read_retained(New, State2),
    State2.

%% @doc No message comes in any more but those that publishers are about to send.
-spec close(state()) -> state().
close(#state{vhost = VHost} = State) ->
    State1 = unhook(State),
    _ = persistent_term:erase({?MODULE, VHost}),
    State1.

%% @doc As close/1, but another process is about to take over, with other code: publishers of what is
%% wanted wait until it does, for some seconds.
-spec hand_over(state()) -> state().
hand_over(#state{vhost = VHost, hook = Hook} = State) ->
    Until = erlang:monotonic_time(millisecond) + ?HAND_OVER,
    persistent_term:put({?MODULE, VHost}, {handed_over, Until, Hook}),
    State.

-spec is_wanting(state()) -> boolean().
is_wanting(#state{filters = Filters}) ->
    Filters =/= [].

%% @doc Those that were right.
-spec filters(state()) -> [binary()].
filters(#state{filters = Filters}) ->
    Filters.

%% @doc A message that was received and those behind it in the mailbox, with their bytes. Many at once
%% cost a fraction of each by itself. Not all of them: what else is in the mailbox waits for its turn, and
%% is passed over each time.
-spec receive_more(Message, pos_integer()) -> {[Message, ...], Bytes :: pos_integer()} when
    Message :: mod_mqtt_rollup_feed_queue:message().
receive_more(Message, Bytes) ->
    receive_more(?BATCH - 1, [Message], Bytes).

-spec receive_more(non_neg_integer(), [Message, ...], pos_integer()) -> {[Message, ...], pos_integer()} when
    Message :: mod_mqtt_rollup_feed_queue:message().
receive_more(0, Messages, Bytes) ->
    {lists:reverse(Messages), Bytes};
receive_more(Count, Messages, Bytes) ->
    receive
        {publish, Message, Size} -> receive_more(Count - 1, [Message | Messages], Bytes + Size)
    after 0 -> {lists:reverse(Messages), Bytes}
    end.

%% @doc So many bytes are in the mailbox no longer.
-spec taken(pos_integer(), state()) -> ok.
taken(Size, #state{hook = #hook{flow = Flow}}) ->
    atomics:sub(Flow, ?MAILBOX, Size).

%% @doc To be called now and then: has what is dropped told again, should a publisher have been killed before
%% it could tell. (What it had counted for the mailbox stays counted; there is room for many thousands.)
-spec remind(state()) -> ok.
remind(#state{hook = #hook{flow = Flow}}) ->
    atomics:put(Flow, ?LOST_TOLD, 0).

%% @doc How many messages were dropped that nobody has asked for yet. In this order: whoever drops
%% something now tells it again.
-spec lost(state()) -> non_neg_integer().
lost(#state{hook = #hook{flow = Flow}}) ->
    atomics:put(Flow, ?LOST_TOLD, 0),
    atomics:exchange(Flow, ?LOST, 0).

%% @doc Tells publishers whether there is room for what they have.
-spec tell_room(boolean(), state()) -> ok.
tell_room(HasRoom, #state{hook = #hook{flow = Flow}}) ->
    case {HasRoom, atomics:get(Flow, ?FULL)} of
        {true, 1} -> atomics:put(Flow, ?FULL, 0);
        {false, 0} -> atomics:put(Flow, ?FULL, 1);
        _ -> ok
    end.

-spec totals(state()) -> totals().
totals(#state{hook = #hook{totals = Totals}}) ->
    #{
        seen => counters:get(Totals, ?SEEN),
        wanted => counters:get(Totals, ?WANTED),
        expired => counters:get(Totals, ?EXPIRED),
        waited => counters:get(Totals, ?WAITED),
        dropped => counters:get(Totals, ?DROPPED)
    }.

%% Only a program could have said that a filter is wrong, and it may be missing.
-spec insert(binary(), mqtree:tree()) -> boolean().
insert(Filter, Tree) ->
    try
        mqtree:insert(Tree, mqtt_codec:topic_filter(Filter)),
        true
    catch
        _:_ -> false
    end.

-spec hook(state()) -> state().
hook(#state{is_hooked = true} = State) ->
    State;
hook(#state{vhost = VHost} = State) ->
    ejabberd_hooks:add(mqtt_publish, VHost, ?MODULE, mqtt_publish, ?SEQ),
    State#state{is_hooked = true}.

-spec unhook(state()) -> state().
unhook(#state{is_hooked = false} = State) ->
    State;
unhook(#state{vhost = VHost} = State) ->
    ejabberd_hooks:delete(mqtt_publish, VHost, ?MODULE, mqtt_publish, ?SEQ),
    State#state{is_hooked = false}.

%%%===================================================================
%%% Retained messages
%%%===================================================================

%% There may be many, and they are read from disk: the mailbox is not to wait for that.
-spec read_retained([binary()], state()) -> ok.
read_retained([], _) ->
    ok;
read_retained(Filters, #state{vhost = VHost, hook = Hook}) ->
    _ = spawn_monitor(fun() -> read_retained(Filters, VHost, Hook, #{}) end),
    ok.

-spec read_retained([binary()], binary(), #hook{}, #{binary() => true}) -> ok.
read_retained([], _, _, _) ->
    ok;
read_retained([Filter | Filters], VHost, #hook{wanted = Wanted} = Hook, Known) ->
    Now = erlang:system_time(second),
    Messages =
        case gen_mod:is_loaded(VHost, mod_mqtt) of
            true -> mod_mqtt:select_retained({<<>>, VHost, <<"mqtt_rollup">>}, Filter, 2, 0);
            false -> []
        end,
    is_cut(length(Messages), VHost) andalso
        ?WARNING_MSG(
            "mod_mqtt_rollup at ~ts: there are ~b retained messages of ~ts, as many as mod_mqtt reads for one "
            "filter (match_retained_limit). The values of other topics are unknown until they are published again",
            [VHost, length(Messages), Filter]
        ),
    New = [
        Publish
     || {#publish{topic = Topic} = Publish, ExpiryTime} <- Messages,
        ExpiryTime > Now,
        not maps:is_key(Topic, Known),
        mqtree:match(Wanted, Topic) =/= []
    ],
    lists:foreach(fun(Publish) -> collect(Hook, <<>>, Publish, 1, 1) end, New),
    Topics = maps:from_list([{Topic, true} || #publish{topic = Topic} <- New]),
    read_retained(Filters, VHost, Hook, maps:merge(Known, Topics)).

%% There may be more.
-spec is_cut(non_neg_integer(), binary()) -> boolean().
is_cut(0, _) -> false;
is_cut(Count, VHost) -> gen_mod:get_module_opt(VHost, mod_mqtt, match_retained_limit) =:= Count.
