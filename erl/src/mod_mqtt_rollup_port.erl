%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc The owner of the port of one virtual host. It performs what mod_mqtt_rollup_port_core decides
%% and outlives every end of the program, so that the supervisor never sees one.
-module(mod_mqtt_rollup_port).

-behaviour(gen_server).

%% API
-export([start_link/1, request/3, reload/1, info/1, published/4, feed_started/1]).
%% gen_server callbacks
-export([init/1, handle_continue/2, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-include("logger.hrl").

%% How long the program may take to end after its input was closed.
-define(EXIT_TIMEOUT, 5000).
-define(LEAVING_CHECK, 100).
-define(RETRY_SEND, 50).
-define(RETRY_GRANT, 250).
%% How often to look whether the feed is there.
-define(FEED_CHECK, 5000).

-record(state, {
    vhost :: binary(),
    options :: mod_mqtt_rollup_config:options(),
    core :: mod_mqtt_rollup_port_core:state(),
    port = none :: none | port(),
    os_pid :: undefined | non_neg_integer(),
    %% The last program, while it may still hold the history.
    leaving = none :: none | leaving(),
    %% Control frames that the full pipe did not take.
    waiting = queue:new() :: queue:queue(binary()),
    timers = mod_mqtt_rollup_timers:new() :: mod_mqtt_rollup_timers:timers(term()),
    %% Who was refused an alert already, and has been logged.
    refused = #{} :: #{{binary(), binary()} => true}
}).

-type state() :: #state{}.
-type leaving() :: {OsPid :: non_neg_integer() | undefined, Deadline :: integer()}.

%%%===================================================================
%%% API
%%%===================================================================

-spec start_link(binary()) -> {ok, pid()} | {error, term()} | ignore.
start_link(VHost) ->
    gen_server:start_link({local, name(VHost)}, ?MODULE, VHost, []).

%% @doc Asks the program and waits for its answer, for no longer than the timeout and a bit.
-spec request(binary(), Question :: term(), Timeout :: pos_integer()) ->
    mod_mqtt_rollup_port_core:result().
request(VHost, Question, Timeout) ->
    try
        gen_server:call(name(VHost), {request, Question, Timeout}, Timeout + 1000)
    catch
        exit:{timeout, _} ->
            {error, {timeout, <<>>, <<"The program did not answer in time">>}};
        exit:_ ->
            {error, {unavailable, <<>>, <<"The program is not running">>}}
    end.

%% @doc The module has other options; what runs goes on if the program refuses them. They are not in the
%% message, because they hold passwords and a crash shows what is in the mailbox.
-spec reload(binary()) -> ok.
reload(VHost) ->
    gen_server:cast(name(VHost), reload).

%% @doc Tells the program how its publications fared; only the run that sent them wants to know.
-spec published(binary(), port(), pos_integer(), non_neg_integer()) -> ok.
published(VHost, Port, Count, Refused) ->
    gen_server:cast(name(VHost), {published, Port, Count, Refused}).

%% @doc The feed has started and knows nothing of the program.
-spec feed_started(binary()) -> ok.
feed_started(VHost) ->
    gen_server:cast(name(VHost), feed_started).

%% @doc The state of the link, for people.
-spec info(binary()) -> {ok, map()} | {error, unavailable}.
info(VHost) ->
    try
        {ok, gen_server:call(name(VHost), info)}
    catch
        exit:_ -> {error, unavailable}
    end.

%%%===================================================================
%%% gen_server callbacks
%%%===================================================================

-spec init(binary()) -> {ok, state(), {continue, open}}.
init(VHost) ->
    process_flag(trap_exit, true),
    Options = gen_mod:get_module_opts(VHost, mod_mqtt_rollup),
    Core = mod_mqtt_rollup_port_core:new(VHost, config(VHost, Options)),
    {ok, #state{vhost = VHost, options = Options, core = Core}, {continue, open}}.

-spec handle_continue(open, state()) -> {noreply, state()}.
handle_continue(open, State) ->
    {noreply, step({timer, open}, start_timer(feed, ?FEED_CHECK, State))}.

-spec handle_call(term(), gen_server:from(), state()) -> {noreply, state()} | {reply, term(), state()}.
handle_call({request, Question, Timeout}, From, State) ->
    {noreply, step({request, From, Question, Timeout}, State)};
handle_call(info, _From, #state{core = Core, os_pid = OsPid} = State) ->
    {reply, (mod_mqtt_rollup_port_core:info(Core))#{os_pid => OsPid}, State};
handle_call(Request, From, State) ->
    ?WARNING_MSG("Unexpected call from ~p: ~p", [From, Request]),
    {noreply, State}.

-spec handle_cast(term(), state()) -> {noreply, state()}.
handle_cast(Message, State) ->
    {noreply, cast(Message, State)}.

-spec handle_info(term(), state()) -> {noreply, state()}.
handle_info(Message, State) ->
    {noreply, info(Message, State)}.

%% @doc Closes the port and waits for the program, so that its successor finds the history free.
-spec terminate(term(), state()) -> ok.
terminate(_Reason, State) ->
    #state{leaving = Leaving} = Stopped = step(stop, State),
    _ = [await_exit(Leaving, Stopped) || Leaving =/= none],
    ok.

%%%===================================================================
%%% Messages
%%%===================================================================

-spec cast(term(), state()) -> state().
cast(reload, #state{vhost = VHost, options = Old} = State) ->
    Options = gen_mod:get_module_opts(VHost, mod_mqtt_rollup),
    Config = config(VHost, Options),
    %% These belong to a run of the program; the rest changes under way.
    Event =
        case fixed(VHost, Options) =:= fixed(VHost, Old) of
            true -> {configure, Config};
            false -> {restart, Config}
        end,
    step(Event, State#state{options = Options});
cast(feed_started, State) ->
    step(feed_started, State);
cast({published, Port, Count, Refused}, #state{port = Port} = State) ->
    step({published, Count, Refused}, State);
cast({published, _, _, _}, State) ->
    State;
cast(Message, State) ->
    ?WARNING_MSG("Unexpected cast: ~p", [Message]),
    State.

-spec info(term(), state()) -> state().
info({Port, {data, Bin}}, #state{port = Port} = State) ->
    case mod_mqtt_rollup_wire:decode(Bin) of
        {ok, Frame} -> step({frame, Frame}, State);
        {error, Reason} -> step({bad_frame, Reason}, State)
    end;
info({Port, {exit_status, Status}}, #state{port = Port} = State) ->
    step({exited, Status}, gone(State));
info({'EXIT', Port, _Reason}, #state{port = Port} = State) ->
    step({exited, unknown}, gone(State));
info({Port, _}, State) when is_port(Port) ->
    State;
info({'EXIT', Port, _Reason}, State) when is_port(Port) ->
    State;
info({timeout, Ref, Name}, #state{timers = Timers} = State) ->
    case mod_mqtt_rollup_timers:expired(Name, Ref, Timers) of
        {true, Rest} -> timer(Name, State#state{timers = Rest});
        false -> State
    end;
info(Message, State) ->
    ?WARNING_MSG("Unexpected info: ~p", [Message]),
    State.

%%%===================================================================
%%% Effects
%%%===================================================================

-spec step(mod_mqtt_rollup_port_core:event(), state()) -> state().
step(Event, #state{core = Core} = State) ->
    {Core1, Effects} = mod_mqtt_rollup_port_core:handle(Event, rand:uniform(), Core),
    lists:foldl(fun perform/2, State#state{core = Core1}, Effects).

-spec perform(mod_mqtt_rollup_port_core:effect(), state()) -> state().
perform(open, State) ->
    open(State);
perform(close, State) ->
    close(State);
perform({send, Kind, Term}, State) ->
    send(Kind, Term, State);
perform({grant, Credit}, State) ->
    %% While ejabberd is starting, the modules that keep messages for people who are offline may not be
    %% there yet.
    case mod_mqtt_rollup_compat:is_started() of
        true -> send(control, {credit, Credit}, State);
        false -> start_timer({grant, Credit}, ?RETRY_GRANT, State)
    end;
perform({reply, To, Result}, State) ->
    gen_server:reply(To, Result),
    State;
perform({start_timer, Name, Ms}, State) ->
    start_timer(Name, Ms, State);
perform({cancel_timer, Name}, State) ->
    cancel_timer(Name, State);
perform({notify, OutboxId, Notification}, State) ->
    step({notified, OutboxId}, notify(Notification, State));
perform({feed, {configure, Feed}}, #state{vhost = VHost} = State) ->
    mod_mqtt_rollup_feed:configure(VHost, Feed),
    State;
perform({feed, {up, Feed}}, #state{vhost = VHost, port = Port} = State) when Port =/= none ->
    mod_mqtt_rollup_feed:up(VHost, Port, Feed),
    State;
perform({feed, {committed, Epoch, Number}}, #state{vhost = VHost} = State) ->
    mod_mqtt_rollup_feed:committed(VHost, Epoch, Number),
    State;
perform({feed, down}, #state{vhost = VHost} = State) ->
    mod_mqtt_rollup_feed:down(VHost),
    State;
perform({feed, crashed}, #state{vhost = VHost} = State) ->
    mod_mqtt_rollup_feed:crashed(VHost),
    State;
perform({feed, off}, #state{vhost = VHost} = State) ->
    mod_mqtt_rollup_feed:off(VHost),
    State;
perform({publish, Publications}, #state{vhost = VHost, port = Port} = State) when Port =/= none ->
    mod_mqtt_rollup_publisher:publish(VHost, Port, Publications),
    State;
perform({status, Status}, #state{vhost = VHost} = State) ->
    mod_mqtt_rollup_publisher:status(VHost, Status),
    State;
perform({log, Level, Text}, #state{vhost = VHost} = State) ->
    log(Level, VHost, Text),
    State.

-spec timer(term(), state()) -> state().
timer(send, State) ->
    flush(State);
timer({grant, _} = Grant, #state{port = Port} = State) when Port =/= none ->
    perform(Grant, State);
timer({grant, _}, State) ->
    State;
timer(feed, #state{vhost = VHost, options = Options} = State) ->
    %% The program would wait for it for ever.
    mod_mqtt_rollup_config:uses_feed(Options) andalso mod_mqtt_rollup_feed_sup:check(VHost),
    start_timer(feed, ?FEED_CHECK, State);
timer(Name, State) ->
    step({timer, Name}, State).

-spec open(state()) -> state().
open(#state{vhost = VHost, options = Options, leaving = none} = State) ->
    Dir = mod_mqtt_rollup_config:data_dir(VHost, Options),
    case make_dir(Dir) of
        ok -> open(mod_mqtt_rollup_config:program(Options), Dir, State);
        {error, Reason} -> step({open_failed, Reason}, State)
    end;
open(#state{leaving = Leaving} = State) ->
    Look = fun(S) -> start_timer(open, ?LEAVING_CHECK, S) end,
    case leave(Leaving) of
        left -> open(State#state{leaving = none});
        leaving -> Look(State);
        killed -> Look(step(killed, State))
    end.

-spec open(file:filename_all(), file:filename_all(), state()) -> state().
open(Program, Dir, State) ->
    case mod_mqtt_rollup_program:open(Program, [{cd, Dir}]) of
        {ok, Port, OsPid} -> step(opened, State#state{port = Port, os_pid = OsPid});
        {error, Reason} -> step({open_failed, Reason}, State)
    end.

%% The program ends by itself when its input is closed. Nothing here waits for it: the next open does.
-spec close(state()) -> state().
close(#state{port = none} = State) ->
    State;
close(#state{port = Port, os_pid = OsPid} = State) ->
    try
        port_close(Port)
    catch
        error:badarg -> ok
    end,
    (gone(State))#state{leaving = {OsPid, now_ms() + ?EXIT_TIMEOUT}}.

-spec gone(state()) -> state().
gone(State) ->
    cancel_timer(send, State#state{port = none, os_pid = undefined, waiting = queue:new()}).

%% Whether the last program has ended; it is killed when its time is over.
-spec leave(leaving()) -> left | leaving | killed.
leave({OsPid, Deadline}) ->
    case mod_mqtt_rollup_program:is_alive(OsPid) of
        false ->
            left;
        true ->
            case now_ms() >= Deadline of
                true ->
                    mod_mqtt_rollup_program:kill(OsPid),
                    killed;
                false ->
                    leaving
            end
    end.

-spec await_exit(leaving(), state()) -> state().
await_exit(Leaving, State) ->
    case leave(Leaving) of
        left ->
            State;
        leaving ->
            timer:sleep(20),
            await_exit(Leaving, State);
        killed ->
            step(killed, State)
    end.

%%%===================================================================
%%% Sending without ever waiting
%%%===================================================================

-spec send(control | {request, mod_mqtt_rollup_wire:id()}, term(), state()) -> state().
send(_, _, #state{port = none} = State) ->
    State;
send(Kind, Term, State) ->
    case {mod_mqtt_rollup_wire:encode(Term), Kind} of
        {{ok, Bin}, control} -> flush(State#state{waiting = queue:in(Bin, State#state.waiting)});
        {{ok, Bin}, {request, Id}} -> send_request(Id, Bin, State);
        {{error, too_large}, {request, Id}} -> step({unsent, Id}, State);
        {{error, too_large}, control} -> step({bad_frame, "the configuration is too large"}, State)
    end.

-spec send_request(mod_mqtt_rollup_wire:id(), binary(), state()) -> state().
send_request(Id, Bin, #state{waiting = Waiting} = State) ->
    case queue:is_empty(Waiting) andalso command(Bin, State) of
        true -> State;
        false -> cancel_timer({request, Id}, step({unsent, Id}, State))
    end.

-spec flush(state()) -> state().
flush(#state{waiting = Waiting} = State) ->
    case queue:peek(Waiting) of
        empty ->
            State;
        {value, Bin} ->
            case command(Bin, State) of
                true -> flush(State#state{waiting = queue:drop(Waiting)});
                false -> start_timer(send, ?RETRY_SEND, State)
            end
    end.

-spec command(binary(), state()) -> boolean().
command(Bin, #state{port = Port}) ->
    try
        erlang:port_command(Port, Bin, [nosuspend])
    catch
        %% The port has just closed; its exit is in the mailbox.
        error:badarg -> true
    end.

%%%===================================================================
%%% Small things
%%%===================================================================

-spec notify(map(), state()) -> state().
notify(Notification, #state{vhost = VHost, options = Options, refused = Refused} = State) ->
    New = [
        Key
     || Key <- mod_mqtt_rollup_notify:deliver(VHost, Options, Notification),
        not maps:is_key(Key, Refused)
    ],
    lists:foreach(
        fun({Jid, Topic}) ->
            log(warning, VHost, [
                Jid, " gets no alerts about ", Topic, ": mod_mqtt would not let them subscribe to it"
            ])
        end,
        New
    ),
    Known =
        case map_size(Refused) < 1000 of
            true -> Refused;
            false -> #{}
        end,
    State#state{refused = maps:merge(Known, maps:from_list([{Key, true} || Key <- New]))}.

-spec config(binary(), mod_mqtt_rollup_config:options()) -> mod_mqtt_rollup_port_core:config().
config(VHost, Options) ->
    #{
        data_dir => unicode:characters_to_binary(mod_mqtt_rollup_config:data_dir(VHost, Options)),
        durability => maps:get(durability, Options),
        rules => mod_mqtt_rollup_config:rules(Options),
        brokers => mod_mqtt_rollup_config:brokers(VHost, Options),
        feed => mod_mqtt_rollup_config:feed(VHost, Options)
    }.

-spec fixed(binary(), mod_mqtt_rollup_config:options()) -> term().
fixed(VHost, Options) ->
    {
        mod_mqtt_rollup_config:data_dir(VHost, Options),
        mod_mqtt_rollup_config:program(Options),
        maps:get(durability, Options)
    }.

-spec make_dir(file:filename_all()) -> ok | {error, unicode:chardata()}.
make_dir(Dir) ->
    case filelib:ensure_dir(filename:join(Dir, "x")) of
        ok ->
            %% What devices say is nobody else's business.
            _ = file:change_mode(Dir, 8#700),
            ok;
        {error, Reason} ->
            {error, io_lib:format("cannot create the directory ~ts: ~ts", [Dir, file:format_error(Reason)])}
    end.

-spec start_timer(term(), non_neg_integer(), state()) -> state().
start_timer(Name, Ms, #state{timers = Timers} = State) ->
    State#state{timers = mod_mqtt_rollup_timers:start(Name, Ms, Timers)}.

-spec cancel_timer(term(), state()) -> state().
cancel_timer(Name, #state{timers = Timers} = State) ->
    State#state{timers = mod_mqtt_rollup_timers:cancel(Name, Timers)}.

-spec log(debug | info | warning | error, binary(), unicode:chardata()) -> ok.
log(debug, VHost, Text) -> ?DEBUG("mod_mqtt_rollup at ~ts: ~ts", [VHost, Text]);
log(info, VHost, Text) -> ?INFO_MSG("mod_mqtt_rollup at ~ts: ~ts", [VHost, Text]);
log(warning, VHost, Text) -> ?WARNING_MSG("mod_mqtt_rollup at ~ts: ~ts", [VHost, Text]);
log(error, VHost, Text) -> ?ERROR_MSG("mod_mqtt_rollup at ~ts: ~ts", [VHost, Text]).

-spec now_ms() -> integer().
now_ms() ->
    erlang:monotonic_time(millisecond).

-spec name(binary()) -> atom().
name(VHost) ->
    gen_mod:get_module_proc(VHost, ?MODULE).
