%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc The way of the feed to the program that runs now. Sends as long as the port takes it and never
%% waits for it: the caller tries again some time later.
-module(mod_mqtt_rollup_feed_sender).

-export([new/0, connect/1, disconnect/1, is_port/2, is_monitor/2]).
-export([pump/3, heartbeat/3]).

-export_type([sender/0]).

-define(RETRY_MIN, 20).
-define(RETRY_MAX, 1000).

-record(sender, {
    port = none :: none | {port(), reference()},
    %% The program knows since when messages are collected.
    is_since_told = false :: boolean(),
    %% When to try next a port that is busy, in milliseconds.
    retry = ?RETRY_MIN :: pos_integer()
}).

-opaque sender() :: #sender{}.

-spec new() -> sender().
new() ->
    #sender{}.

%% @doc A new run of the program. The caller gets a `DOWN' when the port closes, see is_monitor/2.
-spec connect(port()) -> sender().
connect(Port) ->
    #sender{port = {Port, erlang:monitor(port, Port)}}.

-spec disconnect(sender()) -> sender().
disconnect(#sender{port = none} = Sender) ->
    Sender;
disconnect(#sender{port = {_, Ref}}) ->
    erlang:demonitor(Ref, [flush]),
    new().

-spec is_port(none | port(), sender()) -> boolean().
is_port(none, #sender{port = Port}) -> Port =:= none;
is_port(Port, #sender{port = {Port, _}}) -> true;
is_port(_, _) -> false.

-spec is_monitor(reference(), sender()) -> boolean().
is_monitor(Ref, #sender{port = {_, Ref}}) -> true;
is_monitor(_, _) -> false.

%% @doc Sends what may go to the program: all of it, or as much as the port takes; then it is to be tried
%% again in some milliseconds. `Since' is since when messages are collected without a gap, in monotonic
%% milliseconds.
-spec pump(Since, Store, sender()) -> {done | {retry, pos_integer()}, Store, sender()} when
    Since :: none | integer(), Store :: mod_mqtt_rollup_feed_store:store().
pump(Since, Store, Sender) ->
    case tell_since(Since, Store, Sender) of
        {true, Told} -> send(Store, Told);
        {false, Busy} -> retry(Store, Busy)
    end.

-spec send(Store, sender()) -> {done | {retry, pos_integer()}, Store, sender()} when
    Store :: mod_mqtt_rollup_feed_store:store().
send(Store, Sender) ->
    case mod_mqtt_rollup_feed_store:next(Store) of
        {nothing, Rest} ->
            {done, Rest, Sender};
        {send, Bin, Sent, Unsent} ->
            case command(Bin, Sender) of
                true -> send(Sent, Sender#sender{retry = ?RETRY_MIN});
                false -> retry(Unsent, Sender)
            end
    end.

-spec retry(Store, sender()) -> {{retry, pos_integer()}, Store, sender()} when
    Store :: mod_mqtt_rollup_feed_store:store().
retry(Store, #sender{retry = Retry} = Sender) ->
    {{retry, Retry}, Store, Sender#sender{retry = min(2 * Retry, ?RETRY_MAX)}}.

%% The first frame of a run: nothing that was published since then is missing in what follows.
-spec tell_since(none | integer(), mod_mqtt_rollup_feed_store:store(), sender()) -> {boolean(), sender()}.
tell_since(Since, Store, #sender{is_since_told = false} = Sender) when is_integer(Since) ->
    case mod_mqtt_rollup_feed_store:info(Store) of
        #{connected := true} ->
            %% As of now, should the clock have been set meanwhile.
            Ms = os:system_time(millisecond) - (erlang:monotonic_time(millisecond) - Since),
            case command(term_to_binary({feed_since, Ms}), Sender) of
                true -> {true, Sender#sender{is_since_told = true, retry = ?RETRY_MIN}};
                false -> {false, Sender}
            end;
        _ ->
            {true, Sender}
    end;
tell_since(_, _, Sender) ->
    {true, Sender}.

%% @doc Tells the program that there is nothing that arrived before `Now', unless something is there.
-spec heartbeat(Now :: integer(), Store, sender()) -> Store when Store :: mod_mqtt_rollup_feed_store:store().
heartbeat(Now, Store, Sender) ->
    case mod_mqtt_rollup_feed_store:heartbeat(Now, Store) of
        {send, Bin, Sent} ->
            case command(Bin, Sender) of
                true -> Sent;
                false -> Store
            end;
        nothing ->
            Store
    end.

-spec command(binary(), sender()) -> boolean().
command(_, #sender{port = none}) ->
    false;
command(Bin, #sender{port = {Port, _}}) ->
    mod_mqtt_rollup_program:send(Port, Bin).
