%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc Whether the program keeps up with the feed, looked at every few seconds. It does not if the oldest
%% message that it has not committed is old, and getting no younger: a backlog that is worked off is no
%% trouble. Pure.
-module(mod_mqtt_rollup_feed_watch).

-export([new/0, look/3]).

-export_type([watch/0]).

-define(OLD_MS, 10000).

-record(watch, {
    %% At the last look, if there was a program then.
    age = none :: none | non_neg_integer(),
    is_slow = false :: boolean()
}).

-opaque watch() :: #watch{}.

-spec new() -> watch().
new() ->
    #watch{}.

%% @doc Looks at the age of the oldest message, null without any. Tells what is new.
-spec look(AgeMs :: null | non_neg_integer(), HasProgram :: boolean(), watch()) ->
    {nothing | slow | well, watch()}.
look(Age, _, #watch{is_slow = IsSlow}) when Age =:= null; Age < ?OLD_MS ->
    What =
        case IsSlow of
            true -> well;
            false -> nothing
        end,
    {What, new()};
look(_, false, Watch) ->
    %% The log knows why it is not there.
    {nothing, Watch#watch{age = none}};
look(Age, true, #watch{age = Before, is_slow = false} = Watch) when is_integer(Before), Age >= Before ->
    {slow, Watch#watch{age = Age, is_slow = true}};
look(Age, true, Watch) ->
    {nothing, Watch#watch{age = Age}}.
