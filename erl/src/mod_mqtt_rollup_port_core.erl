%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc What the owner of the port decides: when to open it, what to say, whom to answer. Pure: an
%% event goes in, the new state and a list of effects come out, to be performed in order.
%%
%%   down --open--> hello --hello--> configuring --configured ok--> running
%%     ^              |                   |                            |
%%     +--------------+----- exit, timeout, violation, refusal --------+   (backoff 0.25 s .. 60 s)
%%
%% A reload is taken by the running program as a whole or refused as a whole; then what ran goes on. One
%% that has no answer when the program ends is what the next run begins with.
-module(mod_mqtt_rollup_port_core).

-export([new/2, handle/3, info/1, exit_text/1]).

-export_type([state/0, event/0, effect/0, feed_effect/0, jitter/0, config/0, result/0]).

-define(HELLO_TIMEOUT, 10000).
%% The first configure opens the history and may have a long journal to read.
-define(CONFIGURE_TIMEOUT, 120000).
-define(BACKOFF_MIN, 250).
-define(BACKOFF_MAX, 60000).
%% A run of this length wipes out the failures before it.
-define(STABLE, 60000).
%% So does one that has committed messages of the feed, which shows that it does not die of the first of
%% them again and again; but only so many times before it is stable.
-define(QUICK_MAX, 120).
%% Different problems that get into the log before it is stable.
-define(SAID_MAX, 10).
%% A running program is asked something this often; if it has said nothing meanwhile for so many times it
%% hangs.
-define(WATCH, 60000).
-define(SILENT_MAX, 5).
-define(CREDIT, 64).
-define(PENDING_MAX, 1000).
%% Lines for the log in a second, ten times of what the program allows itself, and bytes of each.
-define(LOGS_MAX, 1000).
-define(LOG_BYTES_MAX, 8192).
%% Publications that the program may have sent without an answer.
-define(PUBLISHING_MAX, 256).

-type phase() :: down | hello | configuring | running.
%% `feed' is for our side of the in-node link alone.
-type config() :: #{
    data_dir := binary(),
    durability := normal | full,
    rules := map(),
    brokers := [map()],
    feed := none | mod_mqtt_rollup_config:feed()
}.
-type result() ::
    {ok, map()}
    | {error, mod_mqtt_rollup_wire:failure()}
    %% Of a configuration that was to be checked.
    | ok
    | {error, [mod_mqtt_rollup_wire:failure()]}.
%% A random number from 0 to 1 that spreads the restarts.
-type jitter() :: float().
-type timer() :: open | hello | configure | stable | watch | logs | {request, mod_mqtt_rollup_wire:id()}.
-type reply_to() :: term().
-type event() ::
    {timer, timer()}
    | opened
    | {open_failed, Reason :: unicode:chardata()}
    %% The last program had to be ended by force before the next one starts.
    | killed
    | {frame, mod_mqtt_rollup_wire:frame()}
    | {bad_frame, Reason :: string()}
    | {exited, non_neg_integer() | unknown}
    | {request, reply_to(), Question :: term(), TimeoutMs :: pos_integer()}
    | {configure, config()}
    | {restart, config()}
    | {unsent, mod_mqtt_rollup_wire:id()}
    | {notified, integer()}
    | {published, Count :: pos_integer(), Refused :: non_neg_integer()}
    | feed_started
    | stop.
-type effect() ::
    open
    | close
    %% A request that the full pipe refuses is reported back as `unsent'; control frames wait.
    | {send, control | {request, mod_mqtt_rollup_wire:id()}, term()}
    %% Credit for events, as soon as there is an ejabberd that can take them.
    | {grant, pos_integer()}
    | {reply, reply_to(), result()}
    | {start_timer, timer(), non_neg_integer()}
    | {cancel_timer, timer()}
    | {notify, integer(), map()}
    | {feed, feed_effect()}
    | {publish, [mod_mqtt_rollup_wire:publication()]}
    | {status, online | offline}
    | {log, debug | info | warning | error, unicode:chardata()}.

%% The in-node link: this is to be collected; the program takes messages under this configuration; it
%% has committed so far; it takes no more, until the next run or because there is no such link (off); the
%% run that has just ended was a crash.
-type feed_effect() ::
    {configure, mod_mqtt_rollup_config:feed()}
    | {up, mod_mqtt_rollup_config:feed()}
    | {committed, Epoch :: non_neg_integer(), Number :: non_neg_integer()}
    | down
    | crashed
    | off.

-record(core, {
    vhost :: binary(),
    phase = down :: phase(),
    %% What the program runs with, or is to be started with.
    config :: config(),
    %% A configure that is not answered yet.
    sent = none :: none | {mod_mqtt_rollup_wire:id(), config()},
    %% A reload that came while another configure was on its way.
    waiting = none :: none | config(),
    next_id = 1 :: mod_mqtt_rollup_wire:id(),
    pending = #{} :: #{mod_mqtt_rollup_wire:id() => reply_to()},
    %% What the program has said last about the feed in this run.
    committed = none :: none | {non_neg_integer(), non_neg_integer()},
    %% Publications of this run that are not answered.
    publishing = 0 :: non_neg_integer(),
    %% The same of notifications.
    notifying = 0 :: non_neg_integer(),
    %% Lines for the log in this second.
    logs = 0 :: non_neg_integer(),
    %% How often it was asked since it said something, and the newest of these questions.
    silent = 0 :: non_neg_integer(),
    watch_id = none :: none | mod_mqtt_rollup_wire:id(),
    %% This run has committed messages.
    has_worked = false :: boolean(),
    %% Runs that came to nothing, one after the other.
    failures = 0 :: non_neg_integer(),
    %% Runs that may still wipe out the failures before it is stable.
    quick = ?QUICK_MAX :: non_neg_integer(),
    %% The last reason for being down, until it is stable.
    problem = none :: none | binary(),
    %% Those that the log knows.
    said = [] :: [binary()],
    restarts = 0 :: non_neg_integer(),
    late = 0 :: non_neg_integer()
}).

-opaque state() :: #core{}.

%% @doc The state before the first start; the first event is the timer `open'.
-spec new(binary(), config()) -> state().
new(VHost, Config) ->
    #core{vhost = VHost, config = Config}.

%% @doc What is worth showing of the state.
-spec info(state()) -> #{phase := phase(), restarts := non_neg_integer(), late := non_neg_integer(),
                         pending := non_neg_integer(), problem := none | binary()}.
info(#core{phase = Phase, restarts = Restarts, late = Late, pending = Pending, problem = Problem}) ->
    #{
        phase => Phase,
        restarts => Restarts,
        late => Late,
        pending => map_size(Pending),
        problem => Problem
    }.

%% @doc One step.
-spec handle(event(), jitter(), state()) -> {state(), [effect()]}.
handle({timer, open}, _, #core{phase = down} = S) ->
    {S, [open]};
handle({timer, hello}, Jitter, #core{phase = hello} = S) ->
    fail(error, "the program does not answer; is it the right one?", Jitter, S);
handle({timer, configure}, Jitter, #core{phase = configuring} = S) ->
    fail(error, "the program does not finish reading its history", Jitter, S);
handle({timer, configure}, Jitter, #core{phase = running, sent = {_, _}} = S) ->
    %% It may still take it, and would then run with another one than we think.
    fail(error, "the program does not answer to the new configuration and is ended", Jitter, S);
handle({timer, stable}, _, #core{phase = running, problem = Problem} = S) ->
    {S#core{failures = 0, quick = ?QUICK_MAX, problem = none, said = []}, [
        {log, info, "the program is running again"} || Problem =/= none
    ]};
handle({timer, watch}, Jitter, #core{phase = running, silent = ?SILENT_MAX} = S) ->
    Text = io_lib:format(
        "the program has not answered for ~b minutes and is ended", [?SILENT_MAX * ?WATCH div 60000]
    ),
    fail(error, Text, Jitter, S);
handle({timer, watch}, _, #core{phase = running, silent = Silent, next_id = Id} = S) ->
    {S#core{silent = Silent + 1, watch_id = Id, next_id = Id + 1}, [
        {send, {request, Id}, {request, Id, ?WATCH, status}}, {start_timer, watch, ?WATCH}
    ]};
handle({timer, logs}, _, S) ->
    {S#core{logs = 0}, []};
handle({timer, {request, Id}}, _, S) ->
    finish(Id, failure(timeout, "The program did not answer in time"), S);
handle({timer, _}, _, S) ->
    {S, []};
handle(opened, _, #core{phase = down, vhost = VHost} = S) ->
    Hello = {hello, #{protocol => mod_mqtt_rollup_wire:protocol(), vhost => VHost}},
    {S#core{phase = hello, sent = none, publishing = 0, notifying = 0, logs = 0, committed = none}, [
        {send, control, Hello}, {start_timer, hello, ?HELLO_TIMEOUT}
    ]};
handle({open_failed, Reason}, Jitter, S) ->
    fail(error, Reason, Jitter, S);
handle(killed, _, S) ->
    say(warning, "the program did not end within 5 s and is killed", S);
handle({frame, Frame}, Jitter, S) ->
    frame(Frame, Jitter, S#core{silent = 0});
handle({bad_frame, Reason}, Jitter, S) ->
    fail(error, ["the program breaks the protocol: ", Reason], Jitter, S);
handle({exited, _}, _, #core{phase = down} = S) ->
    {S, []};
handle({exited, Status}, Jitter, S) ->
    Crashed = [{feed, crashed} || has_feed(S), is_crash(Status)],
    down(error, ["the program ended: ", exit_text(Status)], Jitter, S, Crashed);
handle({request, To, Question, Timeout}, _, S) ->
    request(To, Question, Timeout, S);
handle({unsent, Id}, _, S) ->
    {S1, Effects} = finish(Id, failure(unavailable, "The program is busy"), S),
    {S1, [{cancel_timer, {request, Id}} || Effects =/= []] ++ Effects};
handle({configure, Config}, _, #core{phase = running, sent = none} = S) ->
    send_configure(Config, S);
handle({configure, Config}, _, #core{phase = Phase} = S) when Phase =:= running; Phase =:= configuring ->
    {S#core{waiting = Config}, []};
handle({configure, Config}, _, #core{phase = hello, config = Old} = S) ->
    {afresh(S#core{config = Config}), collect(Config, Old)};
handle({Event, Config}, _, #core{phase = down} = S) when Event =:= configure; Event =:= restart ->
    {afresh(S#core{config = Config}), [{feed, collected(Config)}, {start_timer, open, 0}]};
handle({restart, Config}, _, #core{config = Old} = S) ->
    {Down, Effects} = hang_up(S),
    {afresh(Down#core{config = Config}),
        Effects ++ collect(Config, Old) ++ [close, {start_timer, open, 0}]};
handle({notified, OutboxId}, _, #core{phase = running, notifying = Notifying} = S) ->
    {S#core{notifying = Notifying - 1}, [{send, control, {notified, OutboxId}}, {send, control, {credit, 1}}]};
handle({notified, _}, _, S) ->
    {S, []};
handle({published, Count, Refused}, _, #core{phase = running, publishing = Publishing} = S) ->
    {S#core{publishing = Publishing - Count}, [{send, control, {published, Count, Refused}}]};
handle({published, _, _}, _, S) ->
    {S, []};
handle(feed_started, _, #core{phase = running, config = #{feed := Feed}, committed = Committed} = S) when
    Feed =/= none
->
    {S, [{feed, {up, Feed}} | [{feed, {committed, E, N}} || {E, N} <- [Committed]]]};
handle(feed_started, _, S) ->
    {S, []};
handle(stop, _, S) ->
    {Down, Effects} = hang_up(S),
    {Down, Effects ++ [close]}.

%% Its own fault, and not the work of somebody else: it violated the protocol or found a bug of its own, or
%% the signal was ILL, TRAP, ABRT, BUS, FPE or SEGV.
-spec is_crash(non_neg_integer() | unknown) -> boolean().
is_crash(Status) ->
    lists:member(Status, [65, 70, 128 + 4, 128 + 5, 128 + 6, 128 + 7, 128 + 8, 128 + 11]).

%% @doc What an exit status of the program means (docs/PROTOCOL.md).
-spec exit_text(non_neg_integer() | unknown) -> unicode:chardata().
exit_text(0) ->
    "it was told to, or its input was closed (status 0)";
exit_text(8) ->
    "it is no program for this machine (status 8)";
exit_text(64) ->
    "it was started in a wrong way (status 64)";
exit_text(65) ->
    "the protocol was violated, or it speaks another version; its reason was logged before, or is in "
    "ejabberd's standard error (status 65). Are the module and the program of the same release?";
exit_text(66) ->
    "its history file is used by another program or cannot be opened (status 66)";
exit_text(70) ->
    "it has a bug; its reason is in ejabberd's standard error (status 70)";
exit_text(unknown) ->
    "the connection to it broke";
exit_text(Status) when Status > 128 ->
    io_lib:format("it was killed by signal ~b (status ~b)", [Status - 128, Status]);
exit_text(Status) ->
    io_lib:format("status ~b", [Status]).

%%%===================================================================
%%% Frames of the program
%%%===================================================================

-spec frame(mod_mqtt_rollup_wire:frame(), jitter(), state()) -> {state(), [effect()]}.
frame({hello, #{protocol := Protocol} = Hello}, Jitter, #core{phase = hello} = S) ->
    case mod_mqtt_rollup_wire:protocol() of
        Protocol ->
            Build = maps:get(build, Hello, <<"unknown">>),
            {S1, Effects} = send_configure(S#core.config, S#core{phase = configuring}),
            {S1, [
                {cancel_timer, hello}, {log, debug, ["the program is build ", text(Build)]} | Effects
            ]};
        Ours ->
            fail(
                error,
                io_lib:format(
                    "the program speaks version ~b of the protocol, this module version ~b; "
                    "install both from the same release",
                    [Protocol, Ours]
                ),
                Jitter,
                S
            )
    end;
frame({configured, Id, ok}, _, #core{phase = configuring, sent = {Id, Config}, problem = Problem} = S) ->
    %% After a problem the log waits until this lasts.
    Level =
        case Problem of
            none -> info;
            _ -> debug
        end,
    next_configure(
        S#core{phase = running, sent = none, config = Config},
        [{cancel_timer, configure}] ++
            feed(Config, none) ++
            [{grant, ?CREDIT}, {log, Level, "the program is running"}] ++
            [{start_timer, stable, ?STABLE}, {start_timer, watch, ?WATCH}]
    );
frame({configured, Id, ok}, _, #core{phase = running, sent = {Id, Config}, config = Old} = S) ->
    next_configure(
        S#core{sent = none, config = Config},
        [{cancel_timer, configure}] ++ feed(Config, Old) ++ [{log, info, "the new configuration is in use"}]
    );
frame({configured, Id, {error, Failures}}, _, #core{phase = running, sent = {Id, _}} = S) ->
    next_configure(S#core{sent = none}, [
        {cancel_timer, configure},
        {log, error, ["the new configuration is refused, the old one goes on:\n", lines(Failures)]}
    ]);
frame({configured, Id, {error, _}}, Jitter, #core{phase = configuring, sent = {Id, _}, waiting = Config} = S) when
    Config =/= none
->
    %% Nobody wants any more what it refuses.
    handle({restart, Config}, Jitter, S);
frame({configured, Id, {error, Failures}}, Jitter, #core{phase = configuring, sent = {Id, _}} = S) ->
    fail(error, ["the program cannot begin:\n", lines(Failures), remedy(Failures)], Jitter, S);
frame({reply, Id, _}, _, #core{phase = running, watch_id = Id} = S) ->
    {S#core{watch_id = none}, []};
frame({reply, Id, Result}, _, #core{phase = running} = S) ->
    case finish(Id, Result, S) of
        {S, []} -> {S#core{late = S#core.late + 1}, []};
        {S1, Effects} -> {S1, [{cancel_timer, {request, Id}} | Effects]}
    end;
frame({checked, Id, Result}, _, #core{phase = running} = S) ->
    {S1, Effects} = finish(Id, Result, S),
    {S1, [{cancel_timer, {request, Id}} | Effects]};
frame({notify, _, _}, Jitter, #core{phase = running, notifying = ?CREDIT} = S) ->
    fail(error, "the program breaks the protocol: a notification without credit", Jitter, S);
frame({notify, OutboxId, Notification}, _, #core{phase = running, notifying = Notifying} = S) ->
    {S#core{notifying = Notifying + 1}, [{notify, OutboxId, Notification}]};
frame({committed, Epoch, Number}, _, #core{phase = running, committed = Before, has_worked = Has} = S) ->
    %% The first time it says where it begins.
    HasWorked = Has orelse (Before =/= none andalso Before =/= {Epoch, Number}),
    {S#core{committed = {Epoch, Number}, has_worked = HasWorked}, [{feed, {committed, Epoch, Number}}]};
frame({publish, Publications}, Jitter, #core{phase = running, publishing = Publishing} = S) ->
    case Publishing + length(Publications) of
        Count when Count =< ?PUBLISHING_MAX ->
            {S#core{publishing = Count}, [{publish, Publications}]};
        _ ->
            fail(error, "the program breaks the protocol: too many publications at once", Jitter, S)
    end;
frame({log, Level, Text}, Jitter, #core{logs = Logs} = S) ->
    %% A long one counts as several.
    case Logs + 1 + byte_size(Text) div ?LOG_BYTES_MAX of
        Count when Count =< ?LOGS_MAX ->
            Line = text(binary:part(Text, 0, min(byte_size(Text), ?LOG_BYTES_MAX))),
            {S#core{logs = Count}, [{start_timer, logs, 1000} || Logs =:= 0] ++ [{log, Level, Line}]};
        _ ->
            fail(error, "the program breaks the protocol: it writes into the log without end", Jitter, S)
    end;
frame(Frame, Jitter, #core{phase = Phase} = S) ->
    fail(
        error,
        io_lib:format("the program breaks the protocol: ~p while ~p", [element(1, Frame), Phase]),
        Jitter,
        S
    ).

%%%===================================================================
%%% Configuration and requests
%%%===================================================================

-spec send_configure(config(), state()) -> {state(), [effect()]}.
send_configure(Config, #core{next_id = Id} = S) ->
    {S#core{next_id = Id + 1, sent = {Id, Config}}, [
        {send, control, {configure, Id, maps:remove(feed, Config)}},
        {start_timer, configure, ?CONFIGURE_TIMEOUT}
    ]}.

-spec has_feed(state()) -> boolean().
has_feed(#core{phase = Phase, config = #{feed := Feed}}) ->
    Phase =:= running andalso Feed =/= none.

%% Without a program nobody else can say what is to be collected.
-spec collected(config()) -> feed_effect().
collected(#{feed := none}) -> off;
collected(#{feed := Feed}) -> {configure, Feed}.

%% When the next run is to begin with another configuration. Such a run may be long in coming.
-spec collect(config(), config()) -> [effect()].
collect(#{feed := Feed}, #{feed := Feed}) -> [];
collect(Config, _) -> [{feed, collected(Config)}].

%% What becomes of the in-node link when the program has taken a configuration. Within a run it is there or
%% it is not.
-spec feed(config(), none | config()) -> [effect()].
feed(#{feed := none}, none) -> [{feed, off}];
feed(#{feed := Feed}, none) -> [{feed, {up, Feed}}, {status, online}];
feed(#{feed := none}, _) -> [];
feed(#{feed := Feed}, _) -> [{feed, {up, Feed}}].

-spec next_configure(state(), [effect()]) -> {state(), [effect()]}.
next_configure(#core{waiting = none} = S, Effects) ->
    {S, Effects};
next_configure(#core{waiting = Config} = S, Effects) ->
    {S1, More} = send_configure(Config, S#core{waiting = none}),
    {S1, Effects ++ More}.

-spec request(reply_to(), term(), pos_integer(), state()) -> {state(), [effect()]}.
request(To, Question, Timeout, #core{phase = running, pending = Pending, next_id = Id} = S) when
    map_size(Pending) < ?PENDING_MAX
->
    {S#core{pending = Pending#{Id => To}, next_id = Id + 1}, [
        {start_timer, {request, Id}, Timeout},
        {send, {request, Id}, question(Id, Timeout, Question)}
    ]};
request(To, _, _, #core{phase = running} = S) ->
    {S, [{reply, To, failure(unavailable, "There are too many questions at once")}]};
request(To, _, _, S) ->
    {S, [{reply, To, failure(unavailable, "The program is not running")}]}.

-spec question(mod_mqtt_rollup_wire:id(), pos_integer(), term()) -> term().
question(Id, _, {check, Config}) -> {check, Id, Config};
question(Id, Timeout, Question) -> {request, Id, Timeout, Question}.

-spec finish(mod_mqtt_rollup_wire:id(), result(), state()) -> {state(), [effect()]}.
finish(Id, Result, #core{pending = Pending} = S) ->
    case maps:take(Id, Pending) of
        {To, Rest} -> {S#core{pending = Rest}, [{reply, To, Result}]};
        error -> {S, []}
    end.

-spec failure(atom(), string()) -> {error, mod_mqtt_rollup_wire:failure()}.
failure(Code, Message) ->
    {error, {Code, <<>>, list_to_binary(Message)}}.

%%%===================================================================
%%% Going down
%%%===================================================================

%% The program is there but cannot be used: close it, and try again later.
-spec fail(error, unicode:chardata(), jitter(), state()) -> {state(), [effect()]}.
fail(Level, Reason, Jitter, S) ->
    down(Level, Reason, Jitter, S, [close]).

-spec down(error, unicode:chardata(), jitter(), state(), [effect()]) -> {state(), [effect()]}.
down(Level, Reason, Jitter, #core{config = Old} = S, Before) ->
    #core{failures = Failures} = Counted = count_failure(S),
    Delay = backoff(Failures, Jitter),
    Problem = unicode:characters_to_binary(Reason),
    {#core{restarts = Restarts, config = Config} = Down, Effects} = hang_up(Counted),
    {Told, [{log, Logged, _}]} = say(Level, Problem, Down),
    Retry = io_lib:format("; next try in ~b s", [(Delay + 999) div 1000]),
    {Told#core{problem = Problem, restarts = Restarts + 1},
        Effects ++ collect(Config, Old) ++ Before ++
            [{log, Logged, [Problem, Retry]}, {start_timer, open, Delay}]}.

%% Once until it is stable.
-spec say(warning | error, unicode:chardata(), state()) -> {state(), [effect()]}.
say(Level, Text, #core{said = Said} = S) ->
    Known = unicode:characters_to_binary(Text),
    case lists:member(Known, Said) orelse length(Said) >= ?SAID_MAX of
        true -> {S, [{log, debug, Text}]};
        false -> {S#core{said = [Known | Said]}, [{log, Level, Text}]}
    end.

-spec count_failure(state()) -> state().
count_failure(#core{has_worked = true, quick = Quick} = S) when Quick > 0 ->
    S#core{failures = 1, quick = Quick - 1};
count_failure(#core{failures = Failures} = S) ->
    S#core{failures = Failures + 1}.

%% What is left of this run: timers and people who wait.
-spec hang_up(state()) -> {state(), [effect()]}.
hang_up(#core{pending = Pending} = S) ->
    Answers = lists:append([
        [{cancel_timer, {request, Id}}, {reply, To, failure(unavailable, "The program stopped")}]
     || {Id, To} <- lists:sort(maps:to_list(Pending))
    ]),
    Feed =
        case has_feed(S) of
            true -> [{feed, down}, {status, offline}];
            false -> []
        end,
    {
        S#core{
            phase = down,
            config = newest(S),
            sent = none,
            waiting = none,
            pending = #{},
            has_worked = false
        },
        Feed ++ [{cancel_timer, Timer} || Timer <- [hello, configure, stable, watch, logs]] ++ Answers
    }.

%% With a new configuration: the last one may be what was wrong.
-spec afresh(state()) -> state().
afresh(S) ->
    S#core{failures = 0, problem = none, said = []}.

%% Whether a reload without an answer is right is judged at the next start.
-spec newest(state()) -> config().
newest(#core{waiting = none, sent = none, config = Config}) -> Config;
newest(#core{waiting = none, sent = {_, Config}}) -> Config;
newest(#core{waiting = Config}) -> Config.

%% Doubles from a quarter of a second to 60 s; the jitter takes up to a quarter off.
-spec backoff(pos_integer(), jitter()) -> pos_integer().
backoff(Failures, Jitter) ->
    Full = min(?BACKOFF_MAX, ?BACKOFF_MIN bsl min(Failures - 1, 10)),
    Full - trunc(Full * Jitter / 4).

%% The place of a mistake in the configuration is an option, any other is a file or nothing.
-spec lines([mod_mqtt_rollup_wire:failure()]) -> unicode:chardata().
lines(Failures) ->
    lists:join($\n, [["  ", line(Code, text(Place), text(Message))] || {Code, Place, Message} <- Failures]).

-spec line(atom(), binary(), binary()) -> unicode:chardata().
line(bad_config, Place, Message) ->
    mod_mqtt_rollup_config:format_problems([{Place, Message}]);
line(_, <<>>, Message) ->
    Message;
line(_, Place, Message) ->
    [Place, ": ", Message].

-spec remedy([mod_mqtt_rollup_wire:failure()]) -> unicode:chardata().
remedy([{storage, _, _} | _]) ->
    "\n  See that data_dir belongs to ejabberd's user, that its disk has space, and that no other "
    "program uses the history in it";
remedy(_) ->
    "".

-spec text(term()) -> binary().
text(Text) ->
    mod_mqtt_rollup_text:printable(Text).
