%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc Timers with names, of the process that calls. When one is over the process gets
%% `{timeout, Ref, Name}', and expired/3 tells whether that still counts: the message of a timer that
%% was cancelled or started again may have been on its way already.
-module(mod_mqtt_rollup_timers).

-export([new/0, start/3, cancel/2, expired/3, is_running/2]).

-export_type([timers/1]).

-opaque timers(Name) :: #{Name => reference()}.

-spec new() -> timers(_).
new() ->
    #{}.

%% @doc Starts a timer, from the beginning if it runs.
-spec start(Name, non_neg_integer(), timers(Name)) -> timers(Name).
start(Name, Ms, Timers) ->
    (cancel(Name, Timers))#{Name => erlang:start_timer(Ms, self(), Name)}.

-spec cancel(Name, timers(Name)) -> timers(Name).
cancel(Name, Timers) ->
    case maps:take(Name, Timers) of
        {Ref, Rest} ->
            _ = erlang:cancel_timer(Ref),
            Rest;
        error ->
            Timers
    end.

%% @doc The message of a timer has come.
-spec expired(Name, reference(), timers(Name)) -> {true, timers(Name)} | false.
expired(Name, Ref, Timers) ->
    case Timers of
        #{Name := Ref} -> {true, maps:remove(Name, Timers)};
        _ -> false
    end.

-spec is_running(Name, timers(Name)) -> boolean().
is_running(Name, Timers) ->
    maps:is_key(Name, Timers).
