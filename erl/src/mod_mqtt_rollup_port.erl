%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc The owner of the port of one virtual host. It performs what mod_mqtt_rollup_port_core decides, in
%% the order in which it is decided, and outlives every end of the program, so that the supervisor never
%% sees one. It never waits: chat messages and publications have processes of their own, and what a full
%% pipe does not take is tried again. The feed writes to the same port, with a retry of its own.
%%
%% It takes from a program only so much: what is read but not handled yet, the length of a frame, and, in
%% the core, events without an answer and lines for the log. A program that goes further is ended.
-module(mod_mqtt_rollup_port).

-behaviour(gen_statem).

%% API
-export([start_link/1, request/3, reload/1, info/1, published/4, notified/3, feed_started/1]).
%% gen_statem callbacks
-export([callback_mode/0, init/1, handle_event/4, terminate/3]).

-include("logger.hrl").

%% How long the program may take to end after its input was closed.
-define(EXIT_TIMEOUT, 5000).
-define(LEAVING_CHECK, 100).
-define(RETRY_SEND, 50).
-define(RETRY_GRANT, 250).
%% How often to look whether the feed is there.
-define(FEED_CHECK, 5000).
%% Bytes of the program in our mailbox: several times what it may send without an answer.
-define(UNREAD_MAX, 128 * 1024 * 1024).

-record(state, {
    vhost :: binary(),
    options :: mod_mqtt_rollup_config:options(),
    core :: mod_mqtt_rollup_port_core:state(),
    port = none :: none | port(),
    process = none :: mod_mqtt_rollup_program:process(),
    %% Bytes that were taken out of the mailbox, and what is left of them until a frame is whole.
    taken = 0 :: non_neg_integer(),
    frames = mod_mqtt_rollup_wire:splitter() :: mod_mqtt_rollup_wire:splitter(),
    %% The last program, while it may still hold the history.
    leaving = none :: none | leaving(),
    %% Control frames that the full pipe did not take, as terms: encoded they hold passwords.
    waiting = queue:new() :: queue:queue(term())
}).

-type state() :: #state{}.
-type leaving() :: {mod_mqtt_rollup_program:process(), Deadline :: integer()}.
%% What comes of an event: the state, and what gen_statem is to do, the last of it first.
-type turn() :: {state(), [gen_statem:action()]}.

%%%===================================================================
%%% API
%%%===================================================================

-spec start_link(binary()) -> gen_statem:start_ret().
start_link(VHost) ->
    gen_statem:start_link({local, name(VHost)}, ?MODULE, VHost, []).

%% @doc Asks the program and waits for its answer, for no longer than the timeout and a bit. Besides the
%% questions of docs/PROTOCOL.md there is `{check, Rules and brokers}', which is answered with ok or a list
%% of failures.
-spec request(binary(), Question :: term(), Timeout :: pos_integer()) ->
    mod_mqtt_rollup_port_core:result().
request(VHost, Question, Timeout) ->
    try
        gen_statem:call(name(VHost), {request, Question, Timeout}, Timeout + 1000)
    catch
        exit:{timeout, _} ->
            {error, {timeout, <<>>, <<"The program did not answer in time">>}};
        exit:_ ->
            {error, {unavailable, <<>>, <<"The program is not running">>}}
    end.

%% @doc The module has other options; what runs goes on if the program refuses them.
-spec reload(binary()) -> ok.
reload(VHost) ->
    gen_statem:cast(name(VHost), reload).

%% @doc Tells the program how its publications fared; only the run that sent them wants to know.
-spec published(binary(), port(), pos_integer(), non_neg_integer()) -> ok.
published(VHost, Port, Count, Refused) ->
    gen_statem:cast(name(VHost), {of_run, Port, {published, Count, Refused}}).

%% @doc Tells the program that a notification was handed to XMPP; only the run that sent it wants to know.
-spec notified(binary(), port(), integer()) -> ok.
notified(VHost, Port, OutboxId) ->
    gen_statem:cast(name(VHost), {of_run, Port, {notified, OutboxId}}).

%% @doc The feed has started and knows nothing of the program.
-spec feed_started(binary()) -> ok.
feed_started(VHost) ->
    gen_statem:cast(name(VHost), feed_started).

%% @doc The state of the link, for people.
-spec info(binary()) -> {ok, map()} | {error, unavailable}.
info(VHost) ->
    try
        {ok, gen_statem:call(name(VHost), info)}
    catch
        exit:_ -> {error, unavailable}
    end.

%%%===================================================================
%%% gen_statem callbacks
%%%===================================================================

-spec callback_mode() -> handle_event_function.
callback_mode() ->
    handle_event_function.

%% The phases of the program are the core's business; here there is but one state.
-spec init(binary()) -> {ok, owner, state(), [gen_statem:action()]}.
init(VHost) ->
    process_flag(trap_exit, true),
    Options = gen_mod:get_module_opts(VHost, mod_mqtt_rollup),
    Core = mod_mqtt_rollup_port_core:new(VHost, config(VHost, Options)),
    {ok, owner, #state{vhost = VHost, options = Options, core = Core}, [
        {next_event, internal, {timer, open}}, {{timeout, feed}, ?FEED_CHECK, feed}
    ]}.

-spec handle_event(gen_statem:event_type(), term(), owner, state()) ->
    gen_statem:event_handler_result(state()).
handle_event(Type, Content, owner, State) ->
    {Next, Actions} = event(Type, Content, State),
    {keep_state, Next, lists:reverse(Actions)}.

%% @doc Closes the port and waits for the program, so that its successor finds the history free.
-spec terminate(term(), owner, state()) -> ok.
terminate(_Reason, owner, State) ->
    {#state{leaving = Leaving} = Stopped, _} = step(stop, State),
    _ = [await_exit(Leaving, Stopped) || Leaving =/= none],
    ok.

%%%===================================================================
%%% Events
%%%===================================================================

-spec event(gen_statem:event_type(), term(), state()) -> turn().
event(internal, {frame_of, Port, Bin}, #state{port = Port} = State) ->
    case mod_mqtt_rollup_wire:decode(Bin) of
        {ok, Frame} -> step({frame, Frame}, State);
        {error, Reason} -> step({bad_frame, Reason}, State)
    end;
event(internal, {frame_of, _, _}, State) ->
    {State, []};
event(internal, Event, State) ->
    step(Event, State);
event({timeout, Name}, _, State) ->
    timer(Name, State);
event({call, From}, {request, Question, Timeout}, State) ->
    step({request, From, Question, Timeout}, State);
event({call, From}, info, #state{core = Core, process = Process} = State) ->
    OsPid = mod_mqtt_rollup_program:os_pid(Process),
    {State, [{reply, From, (mod_mqtt_rollup_port_core:info(Core))#{os_pid => OsPid}}]};
event(cast, reload, #state{vhost = VHost, options = Old} = State) ->
    Options = gen_mod:get_module_opts(VHost, mod_mqtt_rollup),
    Config = config(VHost, Options),
    %% What is fixed belongs to a run of the program; the rest changes under way.
    Event =
        case fixed(VHost, Options) =:= fixed(VHost, Old) of
            true -> {configure, Config};
            false -> {restart, Config}
        end,
    step(Event, State#state{options = Options});
event(cast, feed_started, State) ->
    step(feed_started, State);
event(cast, {of_run, Port, Event}, #state{port = Port} = State) ->
    step(Event, State);
event(cast, {of_run, _, _}, State) ->
    {State, []};
event(info, {Port, {data, Bin}}, #state{port = Port} = State) ->
    data(Bin, State);
event(info, {Port, {exit_status, Status}}, #state{port = Port} = State) ->
    ended(Status, State);
event(info, {'EXIT', Port, _Reason}, #state{port = Port} = State) ->
    ended(unknown, State);
event(info, {Port, _}, State) when is_port(Port) ->
    {State, []};
event(info, {'EXIT', Port, _Reason}, State) when is_port(Port) ->
    {State, []};
event(Type, Content, State) ->
    ?WARNING_MSG("Unexpected ~p: ~P", [Type, Content, 20]),
    {State, []}.

%% Each frame is an event of its own: what the one before it leads to is done first.
-spec data(binary(), state()) -> turn().
data(Bin, #state{port = Port, taken = Taken, frames = Frames} = State) ->
    Next = State#state{taken = Taken + byte_size(Bin)},
    case {unread(Next) > ?UNREAD_MAX, mod_mqtt_rollup_wire:split(Bin, Frames)} of
        {true, _} ->
            step({bad_frame, "it sends without end"}, Next);
        {false, {ok, Whole, Rest}} ->
            {Next#state{frames = Rest},
                lists:reverse([{next_event, internal, {frame_of, Port, Frame}} || Frame <- Whole])};
        {false, {error, Reason}} ->
            step({bad_frame, Reason}, Next)
    end.

%% What the port has read and is in our mailbox still.
-spec unread(state()) -> integer().
unread(#state{port = Port, taken = Taken}) ->
    case erlang:port_info(Port, input) of
        {input, Read} -> Read - Taken;
        undefined -> 0
    end.

-spec ended(non_neg_integer() | unknown, state()) -> turn().
ended(Status, State) ->
    {Gone, Actions} = gone({State, []}),
    {Next, More} = step({exited, Status}, Gone),
    {Next, More ++ Actions}.

-spec timer(term(), state()) -> turn().
timer(send, State) ->
    flush({State, []});
timer({grant, _} = Grant, #state{port = Port} = State) when Port =/= none ->
    perform(Grant, {State, []});
timer({grant, _}, State) ->
    {State, []};
timer(feed, #state{vhost = VHost, options = Options} = State) ->
    %% The program would wait for it for ever.
    mod_mqtt_rollup_config:uses_feed(Options) andalso mod_mqtt_rollup_feed_sup:check(VHost),
    {State, [{{timeout, feed}, ?FEED_CHECK, feed}]};
timer(Name, State) ->
    step({timer, Name}, State).

%%%===================================================================
%%% Effects
%%%===================================================================

-spec step(mod_mqtt_rollup_port_core:event(), state()) -> turn().
step(Event, #state{core = Core} = State) ->
    {Core1, Effects} = mod_mqtt_rollup_port_core:handle(Event, rand:uniform(), Core),
    lists:foldl(fun perform/2, {State#state{core = Core1}, []}, Effects).

%% What an effect leads to is an event of its own, after all effects of this one.
-spec perform(mod_mqtt_rollup_port_core:effect(), turn()) -> turn().
perform(open, Turn) ->
    open(Turn);
perform(close, Turn) ->
    close(Turn);
perform({send, Kind, Term}, Turn) ->
    send(Kind, Term, Turn);
perform({grant, Credit} = Grant, Turn) ->
    %% While ejabberd is starting, the modules that keep messages for people who are offline may not be
    %% there yet.
    case mod_mqtt_rollup_compat:is_started() of
        true -> send(control, {credit, Credit}, Turn);
        false -> act({{timeout, Grant}, ?RETRY_GRANT, grant}, Turn)
    end;
perform({reply, To, Result}, Turn) ->
    act({reply, To, Result}, Turn);
perform({start_timer, Name, Ms}, Turn) ->
    act({{timeout, Name}, Ms, Name}, Turn);
perform({cancel_timer, Name}, Turn) ->
    act({{timeout, Name}, cancel}, Turn);
perform({notify, OutboxId, Notification}, {#state{vhost = VHost, port = Port}, _} = Turn) when Port =/= none ->
    mod_mqtt_rollup_notify:deliver(VHost, Port, OutboxId, Notification),
    Turn;
perform({feed, Effect}, {#state{vhost = VHost, port = Port}, _} = Turn) ->
    feed(Effect, VHost, Port),
    Turn;
perform({publish, Publications}, {#state{vhost = VHost, port = Port}, _} = Turn) when Port =/= none ->
    mod_mqtt_rollup_publisher:publish(VHost, Port, Publications),
    Turn;
perform({status, Status}, {#state{vhost = VHost}, _} = Turn) ->
    mod_mqtt_rollup_publisher:status(VHost, Status),
    Turn;
perform({log, Level, Text}, {#state{vhost = VHost}, _} = Turn) ->
    log(Level, VHost, Text),
    Turn.

-spec feed(mod_mqtt_rollup_port_core:feed_effect(), binary(), none | port()) -> ok.
feed({configure, Feed}, VHost, _) -> mod_mqtt_rollup_feed:configure(VHost, Feed);
feed({up, Feed}, VHost, Port) when Port =/= none -> mod_mqtt_rollup_feed:up(VHost, Port, Feed);
feed({committed, Epoch, Number}, VHost, _) -> mod_mqtt_rollup_feed:committed(VHost, Epoch, Number);
feed(down, VHost, _) -> mod_mqtt_rollup_feed:down(VHost);
feed(crashed, VHost, _) -> mod_mqtt_rollup_feed:crashed(VHost);
feed(off, VHost, _) -> mod_mqtt_rollup_feed:off(VHost).

-spec act(gen_statem:action(), turn()) -> turn().
act(Action, {State, Actions}) ->
    {State, [Action | Actions]}.

-spec then(mod_mqtt_rollup_port_core:event(), turn()) -> turn().
then(Event, Turn) ->
    act({next_event, internal, Event}, Turn).

-spec open(turn()) -> turn().
open({#state{vhost = VHost, options = Options, leaving = none}, _} = Turn) ->
    Dir = mod_mqtt_rollup_config:data_dir(VHost, Options),
    case make_dir(Dir) of
        ok -> open(mod_mqtt_rollup_config:program(Options), Dir, Turn);
        {error, Reason} -> then({open_failed, Reason}, Turn)
    end;
open({#state{leaving = Leaving} = State, Actions} = Turn) ->
    Look = {{timeout, open}, ?LEAVING_CHECK, open},
    case leave(Leaving) of
        left -> open({State#state{leaving = none}, Actions});
        leaving -> act(Look, Turn);
        killed -> act(Look, then(killed, Turn))
    end.

-spec open(file:filename_all(), file:filename_all(), turn()) -> turn().
open(Program, Dir, {State, Actions} = Turn) ->
    case mod_mqtt_rollup_program:open(Program, [{cd, Dir}]) of
        {ok, Port, Process} ->
            Open = State#state{
                port = Port, process = Process, taken = 0, frames = mod_mqtt_rollup_wire:splitter()
            },
            then(opened, {Open, Actions});
        {error, Reason} ->
            then({open_failed, Reason}, Turn)
    end.

%% The program ends by itself when its input is closed. Nothing here waits for it: the next open does.
-spec close(turn()) -> turn().
close({#state{port = none}, _} = Turn) ->
    Turn;
close({#state{port = Port, process = Process} = State, Actions}) ->
    try
        port_close(Port)
    catch
        error:badarg -> ok
    end,
    gone({State#state{leaving = {Process, now_ms() + ?EXIT_TIMEOUT}}, Actions}).

-spec gone(turn()) -> turn().
gone({State, Actions}) ->
    Gone = State#state{port = none, process = none, waiting = queue:new()},
    act({{timeout, send}, cancel}, {Gone, Actions}).

%% Whether the last program has ended; it is killed when its time is over.
-spec leave(leaving()) -> left | leaving | killed.
leave({Process, Deadline}) ->
    case {mod_mqtt_rollup_program:is_alive(Process), now_ms() >= Deadline} of
        {false, _} ->
            left;
        {true, true} ->
            mod_mqtt_rollup_program:kill(Process),
            killed;
        {true, false} ->
            leaving
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
            {Told, _} = step(killed, State),
            await_exit(Leaving, Told)
    end.

%%%===================================================================
%%% Sending without ever waiting
%%%===================================================================

-spec send(control | {request, mod_mqtt_rollup_wire:id()}, term(), turn()) -> turn().
send(_, _, {#state{port = none}, _} = Turn) ->
    Turn;
send(control, Term, {#state{waiting = Waiting} = State, Actions}) ->
    flush({State#state{waiting = queue:in(Term, Waiting)}, Actions});
send({request, Id}, Term, {#state{port = Port, waiting = Waiting}, _} = Turn) ->
    case {queue:is_empty(Waiting), mod_mqtt_rollup_wire:encode(Term)} of
        {true, {ok, Bin}} ->
            case mod_mqtt_rollup_program:send(Port, Bin) of
                true -> Turn;
                false -> then({unsent, Id}, Turn)
            end;
        _ ->
            then({unsent, Id}, Turn)
    end.

-spec flush(turn()) -> turn().
flush({#state{port = Port, waiting = Waiting} = State, Actions} = Turn) ->
    case queue:out(Waiting) of
        {empty, _} ->
            Turn;
        {{value, Term}, Rest} ->
            Next = {State#state{waiting = Rest}, Actions},
            case mod_mqtt_rollup_wire:encode(Term) of
                {ok, Bin} ->
                    case mod_mqtt_rollup_program:send(Port, Bin) of
                        true -> flush(Next);
                        false -> act({{timeout, send}, ?RETRY_SEND, send}, Turn)
                    end;
                {error, too_large} ->
                    then({bad_frame, "the configuration is too large"}, Next)
            end
    end.

%%%===================================================================
%%% Small things
%%%===================================================================

-spec config(binary(), mod_mqtt_rollup_config:options()) -> mod_mqtt_rollup_port_core:config().
config(VHost, Options) ->
    #{
        data_dir => unicode:characters_to_binary(mod_mqtt_rollup_config:data_dir(VHost, Options)),
        durability => maps:get(durability, Options),
        rules => mod_mqtt_rollup_config:rules(Options),
        brokers => mod_mqtt_rollup_config:brokers(VHost, Options),
        feed => mod_mqtt_rollup_config:feed(VHost, Options)
    }.

%% Each of them needs another run of the program.
-spec fixed(binary(), mod_mqtt_rollup_config:options()) -> term().
fixed(VHost, Options) ->
    {
        mod_mqtt_rollup_config:data_dir(VHost, Options),
        mod_mqtt_rollup_config:program(Options),
        maps:get(durability, Options),
        mod_mqtt_rollup_config:uses_feed(Options)
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
