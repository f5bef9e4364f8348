%% SPDX-License-Identifier: GPL-2.0-or-later

%% What the hook of the feed costs a publisher. bench/in_ejabberd.py has it compiled and run inside a node
%% with the module, where 90 000 of 100 000 topics are wanted by no stream, and inside one without it.
-module(hook_bench).

-export([run/1]).

-include("mqtt.hrl").

-define(PUBLISHER, {<<"sensors">>, <<"localhost">>, <<"bench">>}).
-define(NEVER, 16#FFFFFFFF).

%% @doc Microseconds of each pass: a message that nobody wants and one that a stream wants (both: the whole
%% run of the hook in ejabberd, nothing else of a publication).
-spec run(pos_integer()) -> {[float()], [float()]}.
run(Passes) ->
    Parent = self(),
    {Pid, Ref} = spawn_opt(
        fun() ->
            Unwanted = [message(I, <<"power">>) || I <- lists:seq(1, 90000)],
            Wanted = [message(I, <<"temperature">>) || I <- lists:seq(1, 10000)],
            garbage_collect(),
            Times = [pass(Unwanted) || _ <- lists:seq(1, Passes)],
            Parent ! {self(), {Times, [pass(Wanted) || _ <- lists:seq(1, Passes)]}}
        end,
        [monitor, {priority, high}]
    ),
    receive
        {Pid, Times} ->
            demonitor(Ref, [flush]),
            Times;
        {'DOWN', Ref, process, Pid, Reason} ->
            error(Reason)
    end.

message(I, What) ->
    Topic = iolist_to_binary(io_lib:format("house/room~b/device~b/~s", [I rem 300, I, What])),
    #publish{topic = Topic, payload = <<"21.5">>, qos = 1}.

pass(Messages) ->
    Start = erlang:monotonic_time(nanosecond),
    each(Messages),
    (erlang:monotonic_time(nanosecond) - Start) / length(Messages) / 1000.

each([]) ->
    ok;
each([Message | Messages]) ->
    _ = ejabberd_hooks:run(mqtt_publish, <<"localhost">>, [?PUBLISHER, Message, ?NEVER]),
    each(Messages).
