%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc The in-node link: what is published at this virtual host's mod_mqtt, kept until the program has
%% committed it. mod_mqtt_rollup_feed_hook brings the messages from their publishers; mod_mqtt_rollup_feed_queue
%% decides what becomes of them. This process does that, with files and the port of the program, and tells
%% people what did not work.
%%
%% The feed outlives the module: for some seconds after the module has stopped it goes on collecting,
%% so that a restart misses nothing. Then, or when ejabberd stops, all that is not committed goes to
%% files, which the next start reads.
-module(mod_mqtt_rollup_feed).

-behaviour(gen_server).

%% API
-export([start_link/1, adopt/1, linger/1, await_upgrade/1, hand_over/1]).
-export([configure/2, up/3, committed/3, down/1, crashed/1, off/1]).
-export([info/1]).
%% gen_server callbacks
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).
-export([format_status/1]).

-include("logger.hrl").

%% After the last time that somebody asked for it.
-define(LINGER, 30000).
%% The program is built meanwhile, which takes long on a small machine.
-define(UPGRADE, 30 * 60 * 1000).
-define(TICK, 1000).
%% How often to look whether the module's processes are there.
-define(MODULE_CHECK, 15000).
%% How often to look whether the program keeps up.
-define(WATCH, 5000).
%% After a file could not be written.
-define(DISK_RETRY, 10000).
%% After the port was busy, twice as long each time.
-define(RETRY_MIN, 20).
-define(RETRY_MAX, 1000).
%% How often the log is told that messages are dropped.
-define(DROPPED_AGAIN, 60000).
-define(CALL_TIMEOUT, 15000).
%% Room for the messages of a batch, which would else be moved several times while the heap grows.
-define(HEAP_WORDS, 65536).

-record(state, {
    vhost :: binary(),
    hook :: mod_mqtt_rollup_feed_hook:state(),
    queue = mod_mqtt_rollup_feed_queue:new(new_epoch(), no_limits()) :: mod_mqtt_rollup_feed_queue:state(),
    %% Where its files are.
    dir = none :: none | mod_mqtt_rollup_feed_files:dir(),
    %% Of the program that runs, and its monitor.
    port = none :: none | {port(), reference()},
    %% That program knows since when messages are collected.
    is_since_told = false :: boolean(),
    retry_ms = ?RETRY_MIN :: pos_integer(),
    %% Since when messages are collected without a gap, in monotonic milliseconds.
    since = none :: none | integer(),
    %% Publishers that wait for room, in the order of their deadlines.
    waiting = queue:new() :: queue:queue({gen_server:from(), mod_mqtt_rollup_feed_queue:message(), integer()}),
    watch = mod_mqtt_rollup_feed_watch:new() :: mod_mqtt_rollup_feed_watch:watch(),
    timers = mod_mqtt_rollup_timers:new() :: mod_mqtt_rollup_timers:timers(timer_name()),
    %% The log knows that the queue is full.
    said_full = false :: boolean(),
    %% And that files cannot be written.
    said_unwritten = false :: boolean(),
    %% Another process will go on with what this one leaves.
    is_handed_over = false :: boolean()
}).

-type state() :: #state{}.
-type timer_name() :: tick | retry | wait | disk | linger | module | watch | dropped.
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
        {spawn_opt, [{message_queue_data, off_heap}, {min_heap_size, ?HEAP_WORDS}]}
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

%% @doc The module has stopped, and a new version of it is about to be built: go on collecting for long.
-spec await_upgrade(binary()) -> ok | {error, unavailable}.
await_upgrade(VHost) ->
    call(VHost, await_upgrade).

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

%% @doc It has crashed: what it was given may be why.
-spec crashed(binary()) -> ok.
crashed(VHost) ->
    gen_server:cast(name(VHost), crashed).

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

%% @doc It is about to be stopped, and started again with other code.
-spec hand_over(binary()) -> ok | {error, unavailable}.
hand_over(VHost) ->
    call(VHost, hand_over).

-spec call(binary(), adopt | linger | await_upgrade | hand_over | info) -> ok | {info, info()} | {error, unavailable}.
call(VHost, Request) ->
    try
        gen_server:call(name(VHost), Request, ?CALL_TIMEOUT)
    catch
        exit:_ -> {error, unavailable}
    end.

%%%===================================================================
%%% gen_server callbacks
%%%===================================================================

-spec init(binary()) -> {ok, state()} | ignore.
init(VHost) ->
    process_flag(trap_exit, true),
    case gen_mod:is_loaded(VHost, mod_mqtt_rollup) of
        true ->
            State = #state{vhost = VHost, hook = mod_mqtt_rollup_feed_hook:new(VHost)},
            Ticking = lists:foldl(
                fun({Name, Ms}, S) -> start_timer(Name, Ms, S) end,
                State,
                [{tick, ?TICK}, {watch, ?WATCH}, {module, ?MODULE_CHECK}]
            ),
            State1 =
                case configured_feed(VHost) of
                    none -> Ticking;
                    Feed -> use(Feed, Ticking)
                end,
            %% After a crash there may be a program that waits.
            mod_mqtt_rollup_port:feed_started(VHost),
            {ok, State1};
        false ->
            %% It has crashed after the module was stopped. The next start reads its files.
            ignore
    end.

-spec handle_call(term(), gen_server:from(), state()) -> {noreply, state()} | {reply, term(), state()}.
handle_call({publish, Message, Size, Deadline}, From, #state{waiting = Waiting, hook = Hook} = State) ->
    mod_mqtt_rollup_feed_hook:taken(Size, Hook),
    case mod_mqtt_rollup_feed_hook:is_wanting(Hook) of
        true -> {noreply, settle(State#state{waiting = queue:in({From, Message, Deadline}, Waiting)})};
        false -> {reply, ok, State}
    end;
handle_call(info, _From, State) ->
    {reply, {info, show(State)}, State};
handle_call(adopt, _From, #state{vhost = VHost} = State) ->
    State1 = cancel_timer(linger, State),
    case configured_feed(VHost) of
        none -> {reply, ok, switch_off(State1)};
        Feed -> {reply, ok, use(Feed, State1)}
    end;
handle_call(linger, _From, State) ->
    {reply, ok, start_timer(linger, ?LINGER, settle(queue(flush, State)))};
handle_call(await_upgrade, _From, State) ->
    {reply, ok, start_timer(linger, ?UPGRADE, State)};
handle_call(hand_over, _From, State) ->
    {reply, ok, State#state{is_handed_over = true}};
handle_call(Request, From, State) ->
    ?WARNING_MSG("Unexpected call from ~p: ~p", [From, Request]),
    {noreply, State}.

-spec handle_cast(term(), state()) -> {noreply, state()}.
handle_cast({configure, Feed}, State) ->
    {noreply, use(Feed, State)};
handle_cast({up, Port, Feed}, State) ->
    {noreply, connect(Port, use(Feed, State))};
handle_cast({committed, Epoch, Number}, State) ->
    %% A program that begins waits to hear how far it may go.
    is_connected(State) orelse mark(),
    {noreply, settle(queue({committed, Epoch, Number}, State))};
handle_cast(down, State) ->
    {noreply, disconnect(State)};
handle_cast(crashed, State) ->
    {noreply, queue(crashed, State)};
handle_cast(off, State) ->
    {noreply, switch_off(State)};
handle_cast(Message, State) ->
    ?WARNING_MSG("Unexpected cast: ~p", [Message]),
    {noreply, State}.

-spec handle_info(term(), state()) -> {noreply, state()} | {stop, normal, state()}.
handle_info({publish, Message, Size}, #state{hook = Hook} = State) ->
    {Messages, Bytes} = mod_mqtt_rollup_feed_hook:receive_more(Message, Size),
    mod_mqtt_rollup_feed_hook:taken(Bytes, Hook),
    case mod_mqtt_rollup_feed_hook:is_wanting(Hook) of
        true -> {noreply, settle(queue({publish, Messages}, State))};
        %% They were on their way when the last filter was taken out.
        false -> {noreply, State}
    end;
handle_info({mark, Ms}, State) ->
    {noreply, settle(queue({mark, Ms}, State))};
handle_info({lost, Topic}, #state{hook = Hook} = State) ->
    {noreply, say_dropped(Topic, queue({lost, mod_mqtt_rollup_feed_hook:lost(Hook), Topic}, State))};
handle_info({timeout, Ref, Name}, #state{timers = Timers} = State) ->
    case mod_mqtt_rollup_timers:expired(Name, Ref, Timers) of
        {true, Rest} -> timer(Name, State#state{timers = Rest});
        false -> {noreply, State}
    end;
handle_info({'DOWN', Ref, _, _, _}, #state{port = {_, Ref}} = State) ->
    {noreply, disconnect(State)};
handle_info({'DOWN', _, process, _, Reason}, #state{vhost = VHost} = State) ->
    Reason =/= normal andalso
        ?WARNING_MSG(
            "mod_mqtt_rollup at ~ts: retained messages could not be read: ~0P", [VHost, Reason, 20]
        ),
    {noreply, State};
handle_info(Message, State) ->
    ?WARNING_MSG("Unexpected info: ~p", [Message]),
    {noreply, State}.

%% @doc Keeps everything that is not committed, also what is still in the mailbox.
-spec terminate(term(), state()) -> ok.
terminate(_Reason, #state{waiting = Waiting, hook = Hook, is_handed_over = IsHandedOver} = State) ->
    End =
        case IsHandedOver of
            true -> fun mod_mqtt_rollup_feed_hook:hand_over/1;
            false -> fun mod_mqtt_rollup_feed_hook:close/1
        end,
    Drained = lists:foldl(
        fun({From, Message, _}, S) ->
            gen_server:reply(From, ok),
            queue({publish, [Message]}, S)
        end,
        drain(State#state{hook = End(Hook)}),
        queue:to_list(Waiting)
    ),
    %% A publisher may have met the hook and not sent its message yet.
    _ = save(drain(save(Drained))),
    ok.

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
timer(tick, #state{hook = Hook} = State) ->
    mod_mqtt_rollup_feed_hook:remind(Hook),
    mark(),
    {noreply, start_timer(tick, ?TICK, State)};
timer(module, #state{vhost = VHost} = State) ->
    %% Not while the module is being stopped.
    is_running(linger, State) orelse mod_mqtt_rollup_sup:check(VHost),
    {noreply, start_timer(module, ?MODULE_CHECK, State)};
timer(watch, State) ->
    {noreply, start_timer(watch, ?WATCH, watch(State))};
timer(linger, State) ->
    {stop, normal, State};
timer(disk, State) ->
    {noreply, settle(queue(writable, State))};
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
    Limited = queue({limits, #{memory => Memory, disk => Disk}}, open(Dir, State)),
    #state{hook = Hook} = Settled = settle(since(Limited)),
    Settled#state{hook = mod_mqtt_rollup_feed_hook:want(Filters, Payload, Hook)}.

%% The first directory is where an earlier feed may have left something; when the option data_dir changes,
%% the queue's files follow it.
-spec open(mod_mqtt_rollup_feed_files:dir(), state()) -> state().
open(Dir, #state{dir = Dir} = State) ->
    State;
open(Dir, #state{dir = none} = State) ->
    restore(Dir, State);
open(Dir, #state{vhost = VHost, dir = Old, queue = Queue} = State) ->
    Moved = lists:foldl(
        fun(Name, S) ->
            case mod_mqtt_rollup_feed_files:move(Name, Old, Dir) of
                ok ->
                    S;
                {error, Reason} ->
                    ?ERROR_MSG(
                        "mod_mqtt_rollup at ~ts: ~ts cannot be moved to the new data_dir: ~ts",
                        [VHost, mod_mqtt_rollup_feed_files:path(Old, Name), Reason]
                    ),
                    queue({unreadable, Name}, S)
            end
        end,
        State,
        mod_mqtt_rollup_feed_queue:files(Queue)
    ),
    _ = mod_mqtt_rollup_feed_files:move_number(Old, Dir),
    Moved#state{dir = Dir}.

%% Reads what an earlier feed has left.
-spec restore(mod_mqtt_rollup_feed_files:dir(), state()) -> state().
restore(Dir, #state{vhost = VHost} = State) ->
    Found = mod_mqtt_rollup_feed_files:list(Dir),
    %% Erlang's time does not go back with the clock while the node runs.
    Next = mod_mqtt_rollup_feed_files:next_number(
        Dir, max(os:system_time(microsecond), erlang:system_time(microsecond))
    ),
    {Queue, Strangers} = mod_mqtt_rollup_feed_queue:restore(Found, new_epoch(), Next, no_limits()),
    State1 = State#state{dir = Dir, queue = Queue},
    lists:foreach(fun(Name) -> put_aside(Name, "it is none of this queue", State1) end, Strangers),
    case mod_mqtt_rollup_feed_queue:info(Queue) of
        #{messages := 0} -> ok;
        #{messages := Count} ->
            ?INFO_MSG("mod_mqtt_rollup at ~ts: ~b messages wait for the program in files", [VHost, Count])
    end,
    State1.

-spec new_epoch() -> pos_integer().
new_epoch() ->
    rand:uniform(16#4000000000000000).

%% Until there is a configuration nothing comes in.
-spec no_limits() -> mod_mqtt_rollup_feed_queue:limits().
no_limits() ->
    #{memory => 0, disk => 0}.

%% A feed that goes on after the module was stopped keeps its time, one that was switched off does not.
-spec since(state()) -> state().
since(#state{since = none} = State) ->
    State#state{since = erlang:monotonic_time(millisecond)};
since(State) ->
    State.

%% Nothing is to be collected any more, and nobody takes what was.
-spec switch_off(state()) -> state().
switch_off(#state{vhost = VHost, hook = Hook, dir = Dir, queue = Queue} = State) ->
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
    lists:foreach(
        fun(Name) -> mod_mqtt_rollup_feed_files:delete(Dir, Name) end, mod_mqtt_rollup_feed_queue:files(Queue)
    ),
    State1 = disconnect(State#state{hook = mod_mqtt_rollup_feed_hook:want([], none, Hook)}),
    settle(State1#state{since = none, queue = mod_mqtt_rollup_feed_queue:new(new_epoch(), no_limits())}).

%%%===================================================================
%%% Messages
%%%===================================================================

%% What is in the mailbox at the end.
-spec drain(state()) -> state().
drain(State) ->
    receive
        {publish, Message, _Size} ->
            drain(queue({publish, [Message]}, State));
        {'$gen_call', From, {publish, Message, _Size, _Deadline}} ->
            gen_server:reply(From, ok),
            drain(queue({publish, [Message]}, State))
    after 0 -> State
    end.

%% Everything that may have become possible: sending, room for publishers.
-spec settle(state()) -> state().
settle(State) ->
    tell_room(admit(pump(State))).

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
                    admit(pump(queue({publish, [Message]}, Next)));
                _ when Now >= Deadline ->
                    gen_server:reply(From, dropped),
                    {Topic, _, _, _, _} = Message,
                    admit(queue({lost, 1, Topic}, Next));
                false ->
                    start_timer(wait, Deadline - Now, State)
            end
    end.

%% Tells the hook whether there is room, and the log, once, that there is not.
-spec tell_room(state()) -> state().
tell_room(#state{queue = Queue, hook = Hook, said_full = Said, vhost = VHost} = State) ->
    HasRoom = mod_mqtt_rollup_feed_queue:has_room(Queue),
    mod_mqtt_rollup_feed_hook:tell_room(HasRoom, Hook),
    case {HasRoom, Said} of
        {false, false} ->
            IsWanting = mod_mqtt_rollup_feed_hook:is_wanting(Hook),
            IsWanting andalso say_full(VHost),
            State#state{said_full = IsWanting};
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

-spec say_full(binary()) -> ok.
say_full(VHost) ->
    ?WARNING_MSG(
        "mod_mqtt_rollup at ~ts: the program does not take messages as fast as they come, and the queue "
        "to it is full (limits: queue_memory, queue_disk). Messages of QoS 0 are dropped, publishers of "
        "QoS 1 and 2 wait",
        [VHost]
    ).

%% What was dropped although the queue has room; the log hears of it once a minute at most.
-spec say_dropped(binary(), state()) -> state().
say_dropped(Topic, #state{vhost = VHost, queue = Queue} = State) ->
    case is_running(dropped, State) orelse not mod_mqtt_rollup_feed_queue:has_room(Queue) of
        true ->
            State;
        false ->
            ?WARNING_MSG(
                "mod_mqtt_rollup at ~ts: messages of QoS 0 are dropped, the newest of ~ts: they come faster than "
                "they can be put aside",
                [VHost, Topic]
            ),
            start_timer(dropped, ?DROPPED_AGAIN, State)
    end.

%%%===================================================================
%%% The program
%%%===================================================================

-spec connect(port(), state()) -> state().
connect(Port, #state{port = {Port, _}} = State) ->
    State;
connect(Port, State) ->
    State1 = queue({up, os:system_time(millisecond)}, disconnect(State)),
    State1#state{port = {Port, erlang:monitor(port, Port)}, is_since_told = false, retry_ms = ?RETRY_MIN}.

-spec disconnect(state()) -> state().
disconnect(#state{port = Port} = State) ->
    case Port of
        none -> ok;
        {_, Ref} -> erlang:demonitor(Ref, [flush])
    end,
    cancel_timer(retry, queue(down, State#state{port = none})).

-spec is_connected(state()) -> boolean().
is_connected(#state{queue = Queue}) ->
    maps:get(connected, mod_mqtt_rollup_feed_queue:info(Queue)).

%% Everything that was published before this comes out of the mailbox before it; and what is published in
%% between by a clock that was looked at before is put after it.
-spec mark() -> ok.
mark() ->
    self() ! {mark, os:system_time(millisecond)},
    ok.

%% Gives the port what may go to it, unless it was busy a moment ago.
-spec pump(state()) -> state().
pump(State) ->
    case is_running(retry, State) of
        true -> State;
        false -> queue(next, State)
    end.

%%%===================================================================
%%% The queue
%%%===================================================================

-spec queue(mod_mqtt_rollup_feed_queue:event(), state()) -> state().
queue(Event, #state{queue = Queue} = State) ->
    {Queue1, Effects} = mod_mqtt_rollup_feed_queue:handle(Event, Queue),
    lists:foldl(fun perform/2, State#state{queue = Queue1}, Effects).

-spec perform(mod_mqtt_rollup_feed_queue:effect(), state()) -> state().
perform({send, {memory, Bin}}, State) ->
    send(Bin, State);
perform({send, {file, Name}}, State) ->
    case read(Name, State) of
        {ok, Bin} -> send(Bin, State);
        error -> queue(next, queue({unreadable, Name}, State))
    end;
perform({read, Name}, State) ->
    case read(Name, State) of
        {ok, Bin} -> queue({read, Name, Bin}, State);
        error -> queue({unreadable, Name}, State)
    end;
perform({write, Name, Bin}, #state{vhost = VHost, dir = Dir, said_unwritten = Said} = State) ->
    case mod_mqtt_rollup_feed_files:write(Dir, Name, Bin, []) of
        ok ->
            State#state{said_unwritten = false};
        {error, Reason} ->
            Said orelse
                ?ERROR_MSG(
                    "mod_mqtt_rollup at ~ts: cannot write ~ts: ~ts. What waits for the program stays in memory "
                    "as far as it fits",
                    [VHost, mod_mqtt_rollup_feed_files:path(Dir, Name), file:format_error(Reason)]
                ),
            Unwritten = queue({unwritten, Name, Bin}, State#state{said_unwritten = true}),
            start_timer(disk, ?DISK_RETRY, Unwritten)
    end;
perform({delete, Name}, #state{dir = Dir} = State) ->
    mod_mqtt_rollup_feed_files:delete(Dir, Name),
    State;
perform({left_out, Number, Topic, Frame}, #state{vhost = VHost, dir = Dir} = State) ->
    Name = lists:flatten(io_lib:format("message-~b.aside", [Number])),
    Kept =
        case mod_mqtt_rollup_feed_files:write(Dir, Name, Frame, [sync]) of
            ok -> ["it is kept in ", mod_mqtt_rollup_feed_files:path(Dir, Name)];
            {error, Reason} -> ["it could not be kept: ", file:format_error(Reason)]
        end,
    ?ERROR_MSG(
        "mod_mqtt_rollup at ~ts: the program crashed each time that it was given a certain message of ~ts, which is "
        "left out; ~ts. Please report it",
        [VHost, Topic, Kept]
    ),
    State.

%% The first frame of a run says that nothing that was published since then is missing in what follows.
-spec send(binary(), state()) -> state().
send(Bin, #state{is_since_told = false, since = Since} = State) when is_integer(Since) ->
    %% As of now, should the clock have been set meanwhile.
    Ms = os:system_time(millisecond) - (erlang:monotonic_time(millisecond) - Since),
    case command(term_to_binary({feed_since, Ms}), State) of
        true -> send(Bin, State#state{is_since_told = true});
        false -> retry(State)
    end;
send(Bin, State) ->
    case command(Bin, State) of
        true -> queue(sent, State#state{retry_ms = ?RETRY_MIN});
        false -> retry(State)
    end.

-spec retry(state()) -> state().
retry(#state{retry_ms = Ms} = State) ->
    start_timer(retry, Ms, State#state{retry_ms = min(2 * Ms, ?RETRY_MAX)}).

%% Never waits for the program.
-spec command(binary(), state()) -> boolean().
command(_, #state{port = none}) ->
    false;
command(Bin, #state{port = {Port, _}}) ->
    mod_mqtt_rollup_program:send(Port, Bin).

-spec read(mod_mqtt_rollup_feed_files:name(), state()) -> {ok, binary()} | error.
read(Name, #state{dir = Dir} = State) ->
    case mod_mqtt_rollup_feed_files:read(Dir, Name) of
        {ok, Bin} ->
            {ok, Bin};
        {error, Reason} ->
            put_aside(Name, Reason, State),
            error
    end.

-spec put_aside(mod_mqtt_rollup_feed_files:name(), unicode:chardata(), state()) -> ok.
put_aside(Name, Reason, #state{vhost = VHost, dir = Dir}) ->
    mod_mqtt_rollup_feed_files:put_aside(Dir, Name),
    ?ERROR_MSG(
        "mod_mqtt_rollup at ~ts: ~ts cannot be used: ~ts; it is moved aside to ~ts.aside",
        [VHost, mod_mqtt_rollup_feed_files:path(Dir, Name), Reason, Name]
    ).

%% Writes everything down, so that it outlives the machine too. Once more writes what was added since.
%% All of it is with the system before anything is waited for: there may be hundreds of files, a disk may
%% take long for each, and there is an end to the patience with a process that stops.
-spec save(state()) -> state().
save(#state{vhost = VHost, queue = Queue, dir = Dir} = State) ->
    {Closed, Writes} = mod_mqtt_rollup_feed_queue:handle(close, Queue),
    Written = [{Name, mod_mqtt_rollup_feed_files:write(Dir, Name, Bin, [])} || {write, Name, Bin} <- Writes],
    Synced = [mod_mqtt_rollup_feed_files:sync(Dir, Name) || {Name, ok} <- Written],
    case [Reason || {error, Reason} <- [Result || {_, Result} <- Written] ++ Synced] of
        [] ->
            ok;
        [Reason | _] ->
            ?ERROR_MSG(
                "mod_mqtt_rollup at ~ts: cannot write to ~ts: ~ts. Messages that the program has not taken are lost",
                [VHost, Dir, file:format_error(Reason)]
            )
    end,
    State#state{queue = Closed}.

%% Tells the log, once, that the program does not keep up, and that it does again.
-spec watch(state()) -> state().
watch(#state{vhost = VHost, queue = Queue, port = Port, watch = Watch} = State) ->
    #{messages := Count, since := Since} = mod_mqtt_rollup_feed_queue:info(Queue),
    Age = age(Since),
    {What, Watch1} = mod_mqtt_rollup_feed_watch:look(Age, Port =/= none, Watch),
    case What of
        slow ->
            ?WARNING_MSG(
                "mod_mqtt_rollup at ~ts: the program does not answer or does not keep up: ~b messages wait for "
                "it, the oldest of them for ~b s",
                [VHost, Count, Age div 1000]
            );
        well ->
            ?INFO_MSG("mod_mqtt_rollup at ~ts: the program keeps up again", [VHost]);
        nothing ->
            ok
    end,
    State#state{watch = Watch1}.

%%%===================================================================
%%% Small things
%%%===================================================================

-spec show(state()) -> info().
show(#state{queue = Queue, hook = Hook}) ->
    #{
        messages := Waiting,
        memory := Memory,
        disk := Disk,
        lost := Lost,
        committed := Committed,
        since := Since,
        connected := IsConnected
    } = mod_mqtt_rollup_feed_queue:info(Queue),
    Totals = mod_mqtt_rollup_feed_hook:totals(Hook),
    Totals#{
        waiting => Waiting,
        memory_bytes => Memory,
        disk_bytes => Disk,
        age_ms => age(Since),
        committed => Committed,
        lost => Lost,
        connected => IsConnected,
        filters => length(mod_mqtt_rollup_feed_hook:filters(Hook))
    }.

-spec age(none | integer()) -> non_neg_integer() | null.
age(none) -> null;
age(Since) -> max(0, os:system_time(millisecond) - Since).

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
