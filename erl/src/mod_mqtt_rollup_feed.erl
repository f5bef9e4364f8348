%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc The in-node link: what is published at this virtual host's mod_mqtt, kept until the program has
%% committed it. The hook runs in the process of the publisher, looks whether any stream wants the
%% topic, and sends the message to the process of the feed, which numbers it, keeps it and hands it to
%% the program. mod_mqtt_rollup_feed_queue decides what is sent, kept in memory or put into files.
%%
%% Nobody waits for the program. What is in the mailbox of the feed is counted in bytes; only when that
%% or the queue is full do publishers of QoS 1 and 2 wait for a moment, and QoS 0 is dropped.
%%
%% The feed outlives the module: for some seconds after the module has stopped it goes on collecting,
%% so that a restart misses nothing. Then, or when ejabberd stops, all that is not committed goes to
%% files, which the next start reads.
-module(mod_mqtt_rollup_feed).

-behaviour(gen_server).

%% API
-export([start_link/1, adopt/1, linger/1]).
-export([configure/2, up/3, committed/3, down/1, off/1]).
-export([info/1, no_local/0]).
%% Hook
-export([mqtt_publish/3]).
%% gen_server callbacks
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).
-export([format_status/1]).

-include_lib("kernel/include/file.hrl").

-include("logger.hrl").
-include("mqtt.hrl").

-define(SEQ, 50).
%% After the last time that somebody asked for it.
-define(LINGER, 30000).
-define(TICK, 1000).
-define(RETRY_MIN, 20).
-define(RETRY_MAX, 1000).
%% After a file could not be written.
-define(DISK_RETRY, 10000).
%% How long a publisher waits for room, and for the feed to say so.
-define(WAIT, 5000).
-define(WAIT_CALL, 7000).
-define(CALL_TIMEOUT, 15000).
%% What may be in the mailbox: messages, and with those of publishers who wait for an answer.
-define(MAILBOX_BYTES, 8 * 1024 * 1024).
-define(MAILBOX_BYTES_MAX, 32 * 1024 * 1024).
-define(NEVER, 16#FFFFFFFF).
%% In the process dictionary of a publisher that is not to be heard.
-define(NO_LOCAL, '$mod_mqtt_rollup_no_local').

%% Slots of the atomics that the hook and the process share.
-define(MAILBOX, 1).
-define(FULL, 2).
-define(LOST, 3).
-define(LOST_TOLD, 4).

%% Slots of the hook's counters.
-define(SEEN, 1).
-define(WANTED, 2).
-define(EXPIRED, 3).
-define(WAITED, 4).
-define(DROPPED, 5).

%% What the hook works with.
-record(hook, {
    pid :: pid(),
    wanted :: mqtree:tree(),
    payload_max :: pos_integer(),
    flow :: atomics:atomics_ref(),
    totals :: counters:counters_ref()
}).

-record(state, {
    vhost :: binary(),
    queue :: mod_mqtt_rollup_feed_queue:state(),
    hook :: #hook{},
    %% The filters whose messages are collected.
    filters = [] :: [binary()],
    is_hooked = false :: boolean(),
    dir :: file:filename_all(),
    port = none :: none | {port(), reference()},
    %% Since when messages are collected without a gap, in monotonic milliseconds, and whether the program
    %% was told.
    since = none :: none | integer(),
    is_since_told = false :: boolean(),
    %% Publishers that wait for room, in the order of their deadlines.
    waiting = queue:new() :: queue:queue({gen_server:from(), mod_mqtt_rollup_feed_queue:message(), integer()}),
    timers = mod_mqtt_rollup_timers:new() :: mod_mqtt_rollup_timers:timers(timer_name()),
    retry = ?RETRY_MIN :: pos_integer(),
    %% The log knows that the queue is full, that files cannot be written.
    said_full = false :: boolean(),
    said_unwritten = false :: boolean()
}).

-type state() :: #state{}.
-type timer_name() :: tick | retry | wait | disk | linger.
%% What the program has not committed, and for how long the oldest of it; what was committed and lost in
%% the life of the queue; what publishers have met since the feed began.
-type info() :: #{
    waiting := non_neg_integer(),
    memory_bytes := non_neg_integer(),
    disk_bytes := non_neg_integer(),
    age_ms := non_neg_integer() | null,
    committed := non_neg_integer(),
    lost := non_neg_integer(),
    connected := boolean(),
    filters := non_neg_integer(),
    seen := non_neg_integer(),
    wanted := non_neg_integer(),
    expired := non_neg_integer(),
    waited := non_neg_integer(),
    dropped := non_neg_integer()
}.

%%%===================================================================
%%% API
%%%===================================================================

-spec start_link(binary()) -> {ok, pid()} | {error, term()} | ignore.
start_link(VHost) ->
    gen_server:start_link({local, name(VHost)}, ?MODULE, VHost, [
        {spawn_opt, [{message_queue_data, off_heap}]}
    ]).

%% @doc The module has started again: go on with its options.
-spec adopt(binary()) -> ok | {error, unavailable}.
adopt(VHost) ->
    call(VHost, adopt).

%% @doc The module is about to stop: hand over what the program can take, then go on collecting for a
%% while.
-spec linger(binary()) -> ok | {error, unavailable}.
linger(VHost) ->
    call(VHost, linger).

%% @doc A new configuration, when there is no program that could take it first.
-spec configure(binary(), mod_mqtt_rollup_config:feed()) -> ok.
configure(VHost, Feed) ->
    gen_server:cast(name(VHost), {configure, Feed}).

%% @doc The program runs and has taken this configuration.
-spec up(binary(), port(), mod_mqtt_rollup_config:feed()) -> ok.
up(VHost, Port, Feed) ->
    gen_server:cast(name(VHost), {up, Port, Feed}).

%% @doc The program has committed everything up to here.
-spec committed(binary(), non_neg_integer(), non_neg_integer()) -> ok.
committed(VHost, Epoch, Number) ->
    gen_server:cast(name(VHost), {committed, Epoch, Number}).

%% @doc The program is gone, or about to go.
-spec down(binary()) -> ok.
down(VHost) ->
    gen_server:cast(name(VHost), down).

%% @doc There is no in-node link in the configuration any more.
-spec off(binary()) -> ok.
off(VHost) ->
    gen_server:cast(name(VHost), off).

%% @doc The state of the queue and the totals of the hook, for people.
-spec info(binary()) -> {ok, info()} | {error, unavailable}.
info(VHost) ->
    case call(VHost, info) of
        {info, Info} -> {ok, Info};
        {error, unavailable} -> {error, unavailable}
    end.

%% @doc What the calling process publishes is not collected.
-spec no_local() -> ok.
no_local() ->
    _ = put(?NO_LOCAL, true),
    ok.

-spec call(binary(), adopt | linger | info) -> ok | {info, info()} | {error, unavailable}.
call(VHost, Request) ->
    try
        gen_server:call(name(VHost), Request, ?CALL_TIMEOUT)
    catch
        exit:_ -> {error, unavailable}
    end.

%%%===================================================================
%%% Hook
%%%===================================================================

%% @doc Runs for everything that anybody publishes. Whatever is wrong here must not concern them.
-spec mqtt_publish(jid:ljid(), publish(), non_neg_integer()) -> ok.
mqtt_publish({_, VHost, _} = Publisher, Publish, ExpiryTime) ->
    try
        hear(persistent_term:get({?MODULE, VHost}, none), Publisher, Publish, ExpiryTime)
    catch
        _:_ -> ok
    end.

-spec hear(none | #hook{}, jid:ljid(), publish(), non_neg_integer()) -> ok.
hear(none, _, _, _) ->
    ok;
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
        false -> collect(Hook, jid:encode(Publisher), Publish, 0, Publish#publish.qos)
    end.

%% The bytes are counted before the clock is looked at: while none are in the mailbox the process knows
%% that it has everything that arrived until now.
-spec collect(#hook{}, binary(), publish(), 0..1, 0..2) -> ok.
collect(#hook{flow = Flow} = Hook, Publisher, #publish{topic = Topic} = Publish, Flags, Qos) ->
    Payload = cut(Publish#publish.payload, Hook#hook.payload_max),
    Message0 = {own(Topic), own(Payload), 0, Flags, Publisher},
    Size = mod_mqtt_rollup_feed_queue:bytes(Message0),
    case atomics:get(Flow, ?FULL) =:= 0 andalso reserve(Flow, Size, ?MAILBOX_BYTES) of
        true ->
            Hook#hook.pid ! {publish, setelement(3, Message0, now_ms()), Size},
            ok;
        false ->
            case Qos > 0 andalso reserve(Flow, Size, ?MAILBOX_BYTES_MAX) of
                true -> wait(Hook, setelement(3, Message0, now_ms()), Size);
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
            Pid ! {lost, own(Topic)},
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
%%% gen_server callbacks
%%%===================================================================

-spec init(binary()) -> {ok, state()} | ignore.
init(VHost) ->
    process_flag(trap_exit, true),
    case gen_mod:is_loaded(VHost, mod_mqtt_rollup) of
        true ->
            Hook = #hook{
                pid = self(),
                wanted = mqtree:new(),
                payload_max = 1,
                flow = atomics:new(4, [{signed, true}]),
                totals = counters:new(5, [write_concurrency])
            },
            State = start_timer(tick, ?TICK, #state{
                vhost = VHost,
                hook = Hook,
                queue = mod_mqtt_rollup_feed_queue:new(new_epoch(), no_limits()),
                dir = ""
            }),
            State1 =
                case configured_feed(VHost) of
                    none -> State;
                    Feed -> use(Feed, State)
                end,
            %% After a crash there may be a program that waits.
            mod_mqtt_rollup_port:feed_started(VHost),
            {ok, State1};
        false ->
            %% It has crashed after the module was stopped. The next start reads its files.
            ignore
    end.

-spec handle_call(term(), gen_server:from(), state()) -> {noreply, state()} | {reply, term(), state()}.
handle_call({publish, _, Size, _}, _From, #state{filters = [], hook = #hook{flow = Flow}} = State) ->
    atomics:sub(Flow, ?MAILBOX, Size),
    {reply, ok, State};
handle_call({publish, Message, Size, Deadline}, From, #state{waiting = Waiting, hook = #hook{flow = Flow}} = State) ->
    atomics:sub(Flow, ?MAILBOX, Size),
    {noreply, settle(State#state{waiting = queue:in({From, Message, Deadline}, Waiting)})};
handle_call(info, _From, State) ->
    {reply, {info, show(State)}, State};
handle_call(adopt, _From, #state{vhost = VHost} = State) ->
    State1 = cancel_timer(linger, State),
    case configured_feed(VHost) of
        none -> {reply, ok, switch_off(State1)};
        Feed -> {reply, ok, use(Feed, State1)}
    end;
handle_call(linger, _From, #state{queue = Queue} = State) ->
    State1 = settle(State#state{queue = mod_mqtt_rollup_feed_queue:flush(Queue)}),
    {reply, ok, start_timer(linger, ?LINGER, State1)};
handle_call(Request, From, State) ->
    ?WARNING_MSG("Unexpected call from ~p: ~p", [From, Request]),
    {noreply, State}.

-spec handle_cast(term(), state()) -> {noreply, state()}.
handle_cast({configure, Feed}, State) ->
    {noreply, use(Feed, State)};
handle_cast({up, Port, Feed}, State) ->
    {noreply, connect(Port, use(Feed, State))};
handle_cast({committed, Epoch, Number}, #state{queue = Queue} = State) ->
    WasConnected = is_connected(State),
    {Queue1, Effects} = mod_mqtt_rollup_feed_queue:committed(Epoch, Number, Queue),
    State1 = settle(perform(Effects, State#state{queue = Queue1})),
    case WasConnected of
        true -> {noreply, State1};
        %% The program waits to hear how far it may go.
        false -> {noreply, heartbeat(State1)}
    end;
handle_cast(down, State) ->
    {noreply, disconnect(State)};
handle_cast(off, State) ->
    {noreply, switch_off(State)};
handle_cast(Message, State) ->
    ?WARNING_MSG("Unexpected cast: ~p", [Message]),
    {noreply, State}.

-spec handle_info(term(), state()) -> {noreply, state()} | {stop, normal, state()}.
handle_info({publish, _, Size}, #state{filters = [], hook = #hook{flow = Flow}} = State) ->
    %% It was on its way when the last filter was taken out.
    atomics:sub(Flow, ?MAILBOX, Size),
    {noreply, State};
handle_info({publish, Message, Size}, #state{hook = #hook{flow = Flow}} = State) ->
    atomics:sub(Flow, ?MAILBOX, Size),
    {noreply, settle(add(Message, State))};
handle_info({lost, Topic}, #state{hook = #hook{flow = Flow}, queue = Queue} = State) ->
    %% In this order: whoever drops something now tells it again.
    atomics:put(Flow, ?LOST_TOLD, 0),
    Count = atomics:exchange(Flow, ?LOST, 0),
    {noreply, State#state{queue = mod_mqtt_rollup_feed_queue:lost(Count, Topic, Queue)}};
handle_info({timeout, Ref, Name}, #state{timers = Timers} = State) ->
    case mod_mqtt_rollup_timers:expired(Name, Ref, Timers) of
        {true, Rest} -> timer(Name, State#state{timers = Rest});
        false -> {noreply, State}
    end;
handle_info({'DOWN', Ref, port, _, _}, #state{port = {_, Ref}} = State) ->
    {noreply, disconnect(State)};
handle_info({'DOWN', _, port, _, _}, State) ->
    {noreply, State};
handle_info({'DOWN', _, process, _, normal}, State) ->
    {noreply, State};
handle_info({'DOWN', _, process, _, Reason}, #state{vhost = VHost} = State) ->
    ?WARNING_MSG("mod_mqtt_rollup at ~ts: retained messages could not be read: ~0P", [VHost, Reason, 20]),
    {noreply, State};
handle_info(Message, State) ->
    ?WARNING_MSG("Unexpected info: ~p", [Message]),
    {noreply, State}.

%% @doc Keeps everything that is not committed, also what is still in the mailbox.
-spec terminate(term(), state()) -> ok.
terminate(_Reason, #state{vhost = VHost, waiting = Waiting} = State) ->
    State1 = unhook(State),
    _ = persistent_term:erase({?MODULE, VHost}),
    State2 = drain(State1),
    State3 = lists:foldl(
        fun({From, Message, _}, S) ->
            gen_server:reply(From, ok),
            add(Message, S)
        end,
        State2,
        queue:to_list(Waiting)
    ),
    save(State3).

%% @doc What devices say is nobody else's business, and there may be much of it.
-spec format_status(gen_server:format_status()) -> gen_server:format_status().
format_status(Status) ->
    maps:map(
        fun
            (state, #state{vhost = VHost, queue = Queue}) -> {VHost, mod_mqtt_rollup_feed_queue:info(Queue)};
            (message, _) -> hidden;
            (log, _) -> [];
            (_, Value) -> Value
        end,
        Status
    ).

-spec timer(timer_name(), state()) -> {noreply, state()} | {stop, normal, state()}.
timer(tick, State) ->
    {noreply, start_timer(tick, ?TICK, heartbeat(State))};
timer(linger, State) ->
    {stop, normal, State};
timer(disk, #state{queue = Queue} = State) ->
    {Queue1, Effects} = mod_mqtt_rollup_feed_queue:writable(Queue),
    {noreply, settle(perform(Effects, State#state{queue = Queue1}))};
timer(_, State) ->
    {noreply, settle(State)}.

%%%===================================================================
%%% Configuration
%%%===================================================================

-spec configured_feed(binary()) -> none | mod_mqtt_rollup_config:feed().
configured_feed(VHost) ->
    mod_mqtt_rollup_config:feed(VHost, gen_mod:get_module_opts(VHost, mod_mqtt_rollup)).

-spec use(mod_mqtt_rollup_config:feed(), state()) -> state().
use(Feed, State) ->
    #{filters := Filters, dir := Dir, memory := Memory, disk := Disk, payload := Payload} = Feed,
    #state{queue = Queue} = State1 = move(Dir, State),
    State2 = State1#state{
        queue = mod_mqtt_rollup_feed_queue:set_limits(#{memory => Memory, disk => Disk}, Queue)
    },
    want(Filters, Payload, settle(since(State2))).

%% A feed that goes on after the module was stopped keeps its time, one that was switched off does not.
-spec since(state()) -> state().
since(#state{since = none} = State) ->
    State#state{since = erlang:monotonic_time(millisecond)};
since(State) ->
    State.

%% Nothing is to be collected any more, and nobody takes what was.
-spec switch_off(state()) -> state().
switch_off(#state{vhost = VHost, queue = Queue, hook = #hook{payload_max = Max}} = State) ->
    case mod_mqtt_rollup_feed_queue:info(Queue) of
        #{messages := 0} ->
            ok;
        #{messages := Count} ->
            ?WARNING_MSG(
                "mod_mqtt_rollup at ~ts: no stream or output uses mod_mqtt inside ejabberd any more; ~b "
                "messages that the program had not taken are dropped",
                [VHost, Count]
            )
    end,
    State1 = want([], Max, disconnect(State)),
    lists:foreach(
        fun(Name) -> file:delete(path(Name, State)) end, mod_mqtt_rollup_feed_queue:files(Queue)
    ),
    settle(State1#state{since = none, queue = mod_mqtt_rollup_feed_queue:new(new_epoch(), no_limits())}).

-spec want([binary()], pos_integer(), state()) -> state().
want(Filters, PayloadMax, #state{vhost = VHost, filters = Old, hook = Hook0} = State) ->
    Hook = Hook0#hook{payload_max = PayloadMax},
    New = [Filter || Filter <- Filters -- Old, insert(Filter, Hook#hook.wanted)],
    Gone = Old -- Filters,
    lists:foreach(fun(Filter) -> mqtree:delete(Hook#hook.wanted, Filter) end, Gone),
    %% Replacing the same term costs nothing.
    persistent_term:put({?MODULE, VHost}, Hook),
    State1 = State#state{filters = (Old -- Gone) ++ New, hook = Hook},
    State2 =
        case State1#state.filters of
            [] -> unhook(State1);
            _ -> hook(State1)
        end,
    read_retained(New, State2),
    State2.

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

%%%===================================================================
%%% Queue and port
%%%===================================================================

-spec add(mod_mqtt_rollup_feed_queue:message(), state()) -> state().
add(Message, #state{queue = Queue} = State) ->
    {Queue1, Effects} = mod_mqtt_rollup_feed_queue:add(Message, Queue),
    perform(Effects, State#state{queue = Queue1}).

%% What is in the mailbox at the end.
-spec drain(state()) -> state().
drain(State) ->
    receive
        {publish, Message, _Size} ->
            drain(add(Message, State));
        {'$gen_call', From, {publish, Message, _Size, _Deadline}} ->
            gen_server:reply(From, ok),
            drain(add(Message, State))
    after 0 -> State
    end.

%% Everything that may have become possible: sending, room for publishers.
-spec settle(state()) -> state().
settle(State) ->
    tell_room(admit(pump(State))).

-spec connect(port(), state()) -> state().
connect(Port, #state{port = {Port, _}} = State) ->
    State;
connect(Port, State) ->
    #state{queue = Queue} = State1 = disconnect(State),
    State1#state{port = {Port, erlang:monitor(port, Port)}, queue = mod_mqtt_rollup_feed_queue:up(Queue)}.

-spec disconnect(state()) -> state().
disconnect(#state{port = none} = State) ->
    State;
disconnect(#state{port = {_, Ref}, queue = Queue} = State) ->
    erlang:demonitor(Ref, [flush]),
    cancel_timer(retry, State#state{
        port = none, is_since_told = false, queue = mod_mqtt_rollup_feed_queue:down(Queue), retry = ?RETRY_MIN
    }).

-spec is_connected(state()) -> boolean().
is_connected(#state{queue = Queue}) ->
    maps:get(connected, mod_mqtt_rollup_feed_queue:info(Queue)).

%% Sends as long as the port takes it; it never waits for the port.
-spec pump(state()) -> state().
pump(State) ->
    case is_running(retry, State) of
        true ->
            State;
        false ->
            Told = tell_since(State),
            case is_running(retry, Told) of
                true -> Told;
                false -> pump_next(Told)
            end
    end.

%% The first frame of a run: nothing that was published since then is missing in what follows.
-spec tell_since(state()) -> state().
tell_since(#state{is_since_told = false, since = Since, retry = Retry} = State) when is_integer(Since) ->
    case is_connected(State) of
        true ->
            %% As of now, should the clock have been set meanwhile.
            Ms = now_ms() - (erlang:monotonic_time(millisecond) - Since),
            case command(term_to_binary({feed_since, Ms}), State) of
                true -> State#state{is_since_told = true, retry = ?RETRY_MIN};
                false -> start_timer(retry, Retry, State#state{retry = min(2 * Retry, ?RETRY_MAX)})
            end;
        false ->
            State
    end;
tell_since(State) ->
    State.

-spec pump_next(state()) -> state().
pump_next(#state{queue = Queue} = State) ->
    case mod_mqtt_rollup_feed_queue:next(Queue) of
        nothing ->
            State;
        {send, {memory, Bin}, Sent} ->
            pump(Bin, Sent, State);
        {send, {file, Name}, Sent} ->
            case read(Name, State) of
                {ok, Bin} ->
                    pump(Bin, Sent, State);
                {error, Reason} ->
                    say_aside(Name, Reason, State),
                    pump(State#state{queue = mod_mqtt_rollup_feed_queue:unreadable(Name, Queue)})
            end
    end.

-spec pump(binary(), mod_mqtt_rollup_feed_queue:state(), state()) -> state().
pump(Bin, Sent, #state{retry = Retry} = State) ->
    case command(Bin, State) of
        true ->
            pump(State#state{queue = Sent, retry = ?RETRY_MIN});
        false ->
            start_timer(retry, Retry, State#state{retry = min(2 * Retry, ?RETRY_MAX)})
    end.

-spec heartbeat(state()) -> state().
heartbeat(#state{queue = Queue, hook = #hook{flow = Flow}} = State) ->
    Now = now_ms(),
    %% In this order, see collect/5.
    case
        not is_running(retry, State) andalso atomics:get(Flow, ?MAILBOX) =:= 0 andalso
            mod_mqtt_rollup_feed_queue:heartbeat(Now, Queue)
    of
        {send, Bin, Sent} ->
            case command(Bin, State) of
                true -> State#state{queue = Sent};
                false -> State
            end;
        _ ->
            State
    end.

-spec command(binary(), state()) -> boolean().
command(_, #state{port = none}) ->
    false;
command(Bin, #state{port = {Port, _}}) ->
    try
        erlang:port_command(Port, Bin, [nosuspend])
    catch
        %% The port has just closed; the message about it is in the mailbox.
        error:badarg -> false
    end.

%% Publishers that wait get in while there is room, and are sent away when their time is over.
-spec admit(state()) -> state().
admit(#state{queue = Queue, waiting = Waiting} = State) ->
    case queue:peek(Waiting) of
        empty ->
            cancel_timer(wait, State);
        {value, {From, Message, Deadline}} ->
            Now = erlang:monotonic_time(millisecond),
            Next = State#state{waiting = queue:drop(Waiting)},
            case mod_mqtt_rollup_feed_queue:has_room(Queue) of
                true when Now < Deadline ->
                    gen_server:reply(From, ok),
                    admit(pump(add(Message, Next)));
                _ when Now >= Deadline ->
                    gen_server:reply(From, dropped),
                    {Topic, _, _, _, _} = Message,
                    admit(Next#state{queue = mod_mqtt_rollup_feed_queue:lost(1, Topic, Queue)});
                false ->
                    start_timer(wait, Deadline - Now, State)
            end
    end.

%% Tells the hook whether there is room, and the log, once, that there is not.
-spec tell_room(state()) -> state().
tell_room(#state{queue = Queue, hook = #hook{flow = Flow}, said_full = Said, vhost = VHost} = State) ->
    HasRoom = mod_mqtt_rollup_feed_queue:has_room(Queue),
    case {HasRoom, atomics:get(Flow, ?FULL)} of
        {true, 1} -> atomics:put(Flow, ?FULL, 0);
        {false, 0} -> atomics:put(Flow, ?FULL, 1);
        _ -> ok
    end,
    case {HasRoom, Said} of
        {false, false} when State#state.filters =/= [] ->
            ?WARNING_MSG(
                "mod_mqtt_rollup at ~ts: the program does not take messages as fast as they come, and the queue "
                "to it is full (limits: queue_memory, queue_disk). Messages of QoS 0 are dropped, publishers of "
                "QoS 1 and 2 wait",
                [VHost]
            ),
            State#state{said_full = true};
        {true, true} ->
            case mod_mqtt_rollup_feed_queue:info(Queue) of
                #{messages := 0, lost := Lost} ->
                    ?INFO_MSG(
                        "mod_mqtt_rollup at ~ts: the queue to the program is empty again; ~b messages were "
                        "dropped since it began",
                        [VHost, Lost]
                    ),
                    State#state{said_full = false};
                _ ->
                    State
            end;
        _ ->
            State
    end.

%%%===================================================================
%%% Files
%%%===================================================================

-spec perform([mod_mqtt_rollup_feed_queue:effect()], state()) -> state().
perform(Effects, State) ->
    lists:foldl(fun perform_one/2, State, Effects).

-spec perform_one(mod_mqtt_rollup_feed_queue:effect(), state()) -> state().
perform_one({write, Name, Bin}, #state{vhost = VHost, queue = Queue, said_unwritten = Said} = State) ->
    case write(Name, Bin, [], State) of
        ok ->
            State#state{said_unwritten = false};
        {error, Reason} ->
            Said orelse
                ?ERROR_MSG(
                    "mod_mqtt_rollup at ~ts: cannot write ~ts: ~ts. What waits for the program stays in memory "
                    "as far as it fits",
                    [VHost, path(Name, State), file:format_error(Reason)]
                ),
            start_timer(disk, ?DISK_RETRY, State#state{
                queue = mod_mqtt_rollup_feed_queue:unwritten(Name, Bin, Queue), said_unwritten = true
            })
    end;
perform_one({delete, Name}, State) ->
    _ = file:delete(path(Name, State)),
    State.

%% With a checksum, and never half written under its name.
-spec write(mod_mqtt_rollup_feed_queue:name(), binary(), [sync], state()) -> ok | {error, file:posix() | badarg}.
write(Name, Bin, Modes, State) ->
    Path = path(Name, State),
    Temporary = path(Name ++ ".tmp", State),
    Data = [<<(erlang:crc32(Bin)):32>>, Bin],
    case make_dir(State) of
        ok ->
            case file:write_file(Temporary, Data, [raw | Modes]) of
                ok ->
                    file:rename(Temporary, Path);
                {error, _} = Error ->
                    _ = file:delete(Temporary),
                    Error
            end;
        {error, _} = Error ->
            Error
    end.

-spec read(mod_mqtt_rollup_feed_queue:name(), state()) -> {ok, binary()} | {error, unicode:chardata()}.
read(Name, State) ->
    case file:read_file(path(Name, State)) of
        {ok, <<Checksum:32, Bin/binary>>} ->
            case erlang:crc32(Bin) of
                Checksum -> {ok, Bin};
                _ -> {error, "it is damaged"}
            end;
        {ok, _} ->
            {error, "it is damaged"};
        {error, Reason} ->
            {error, file:format_error(Reason)}
    end.

%% Writes everything down, so that it outlives the machine too.
-spec save(state()) -> ok.
save(#state{vhost = VHost, queue = Queue} = State) ->
    Failures = lists:filtermap(
        fun({write, Name, Bin}) ->
            case write(Name, Bin, [sync], State) of
                ok -> false;
                {error, Reason} -> {true, Reason}
            end
        end,
        mod_mqtt_rollup_feed_queue:close(Queue)
    ),
    case Failures of
        [] ->
            ok;
        [Reason | _] ->
            ?ERROR_MSG(
                "mod_mqtt_rollup at ~ts: cannot write to ~ts: ~ts. Messages that the program has not taken are lost",
                [VHost, State#state.dir, file:format_error(Reason)]
            )
    end.

%% Reads what an earlier feed has left.
-spec restore(state()) -> state().
restore(#state{vhost = VHost} = State) ->
    %% There is less than one message in a microsecond, so time is ahead of all numbers. Erlang's does not
    %% go back with the clock while the node runs.
    Next = max(os:system_time(microsecond), erlang:system_time(microsecond)),
    {Queue, Strangers} = mod_mqtt_rollup_feed_queue:restore(found(State), new_epoch(), Next, no_limits()),
    lists:foreach(fun(Name) -> say_aside(Name, "it is none of this queue", State) end, Strangers),
    case mod_mqtt_rollup_feed_queue:info(Queue) of
        #{messages := 0} -> ok;
        #{messages := Count} ->
            ?INFO_MSG("mod_mqtt_rollup at ~ts: ~b messages wait for the program in files", [VHost, Count])
    end,
    State#state{queue = Queue}.

-spec found(state()) -> [mod_mqtt_rollup_feed_queue:stored()].
found(#state{dir = Dir} = State) ->
    Names =
        case file:list_dir(Dir) of
            {ok, List} -> List;
            {error, _} -> []
        end,
    lists:filtermap(
        fun(Name) ->
            case filename:extension(Name) of
                ".aside" ->
                    false;
                ".tmp" ->
                    _ = file:delete(path(Name, State)),
                    false;
                _ ->
                    found(Name, State)
            end
        end,
        Names
    ).

-spec found(file:filename(), state()) -> {true, mod_mqtt_rollup_feed_queue:stored()} | false.
found(Name, State) ->
    case file:read_file_info(path(Name, State), [{time, posix}]) of
        {ok, #file_info{type = regular, size = Size, mtime = Time}} when is_integer(Time) ->
            {true, {Name, max(0, Size - 4), Time * 1000}};
        _ ->
            false
    end.

%% The first directory is where an earlier feed may have left something; when the option data_dir
%% changes, the queue's files follow it.
-spec move(file:filename_all(), state()) -> state().
move(Dir, #state{dir = Dir} = State) ->
    State;
move(Dir, #state{dir = ""} = State) ->
    restore(State#state{dir = Dir});
move(Dir, #state{queue = Queue} = State) ->
    New = State#state{dir = Dir},
    lists:foldl(
        fun(Name, #state{queue = Queue1} = S) ->
            case move_file(Name, State, New) of
                ok ->
                    S;
                {error, Reason} ->
                    say_lost(Name, Reason, State),
                    S#state{queue = mod_mqtt_rollup_feed_queue:unreadable(Name, Queue1)}
            end
        end,
        New,
        mod_mqtt_rollup_feed_queue:files(Queue)
    ).

-spec move_file(mod_mqtt_rollup_feed_queue:name(), state(), state()) -> ok | {error, unicode:chardata()}.
move_file(Name, From, To) ->
    case read(Name, From) of
        {ok, Bin} ->
            case write(Name, Bin, [sync], To) of
                ok ->
                    _ = file:delete(path(Name, From)),
                    ok;
                {error, Reason} ->
                    {error, file:format_error(Reason)}
            end;
        {error, _} = Error ->
            Error
    end.

-spec say_aside(file:filename(), unicode:chardata(), state()) -> ok.
say_aside(Name, Reason, #state{vhost = VHost} = State) ->
    _ = file:rename(path(Name, State), path(Name ++ ".aside", State)),
    ?ERROR_MSG(
        "mod_mqtt_rollup at ~ts: ~ts cannot be used: ~ts; it is moved aside to ~ts.aside",
        [VHost, path(Name, State), Reason, Name]
    ).

-spec say_lost(file:filename(), unicode:chardata(), state()) -> ok.
say_lost(Name, Reason, #state{vhost = VHost} = State) ->
    ?ERROR_MSG(
        "mod_mqtt_rollup at ~ts: ~ts cannot be moved to the new data_dir: ~ts",
        [VHost, path(Name, State), Reason]
    ).

-spec make_dir(state()) -> ok | {error, file:posix()}.
make_dir(#state{dir = Dir}) ->
    case filelib:is_dir(Dir) of
        true ->
            ok;
        false ->
            case filelib:ensure_dir(filename:join(Dir, "x")) of
                ok ->
                    _ = file:change_mode(filename:dirname(Dir), 8#700),
                    file:change_mode(Dir, 8#700);
                {error, _} = Error ->
                    Error
            end
    end.

-spec path(file:filename(), state()) -> file:filename_all().
path(Name, #state{dir = Dir}) ->
    filename:join(Dir, Name).

%%%===================================================================
%%% Small things
%%%===================================================================

-spec show(state()) -> info().
show(#state{queue = Queue, filters = Filters, hook = #hook{totals = Totals}}) ->
    #{
        messages := Waiting,
        memory := Memory,
        disk := Disk,
        lost := Lost,
        committed := Committed,
        since := Since,
        connected := IsConnected
    } = mod_mqtt_rollup_feed_queue:info(Queue),
    #{
        waiting => Waiting,
        memory_bytes => Memory,
        disk_bytes => Disk,
        age_ms => age(Since),
        committed => Committed,
        lost => Lost,
        connected => IsConnected,
        filters => length(Filters),
        seen => counters:get(Totals, ?SEEN),
        wanted => counters:get(Totals, ?WANTED),
        expired => counters:get(Totals, ?EXPIRED),
        waited => counters:get(Totals, ?WAITED),
        dropped => counters:get(Totals, ?DROPPED)
    }.

-spec age(none | integer()) -> non_neg_integer() | null.
age(none) -> null;
age(Since) -> max(0, now_ms() - Since).

%% The clock that the program looks at. Erlang's own time may be minutes or hours behind it after the
%% clock was set. Only expiry times are Erlang's, as mod_mqtt has made them.
-spec now_ms() -> integer().
now_ms() ->
    os:system_time(millisecond).

-spec new_epoch() -> pos_integer().
new_epoch() ->
    rand:uniform(16#4000000000000000).

%% Until there is a configuration nothing comes in.
-spec no_limits() -> mod_mqtt_rollup_feed_queue:limits().
no_limits() ->
    #{memory => 0, disk => 0}.

-spec start_timer(timer_name(), non_neg_integer(), state()) -> state().
start_timer(Name, Ms, #state{timers = Timers} = State) ->
    State#state{timers = mod_mqtt_rollup_timers:start(Name, Ms, Timers)}.

-spec cancel_timer(timer_name(), state()) -> state().
cancel_timer(Name, #state{timers = Timers} = State) ->
    State#state{timers = mod_mqtt_rollup_timers:cancel(Name, Timers)}.

-spec is_running(timer_name(), state()) -> boolean().
is_running(Name, #state{timers = Timers}) ->
    mod_mqtt_rollup_timers:is_running(Name, Timers).

-spec name(binary()) -> atom().
name(VHost) ->
    gen_mod:get_module_proc(VHost, ?MODULE).
