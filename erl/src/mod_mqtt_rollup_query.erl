%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc Questions to the program in the name of somebody: what they may not see is left out, and looks
%% exactly as if it did not exist.
-module(mod_mqtt_rollup_query).

-export([ask/3, ask/4]).

-export_type([failure/0]).

-type failure() :: {Code :: atom(), Place :: binary(), Message :: binary()}.
-type fetch() :: fun((mod_mqtt_rollup_adhoc:ask()) -> {ok, map()} | {error, failure()}).
%% Sees everything: whoever administers the server.
-type asker() :: everything | mod_mqtt_rollup_access:subject().

-define(TIMEOUT, 10000).
%% Rows that are looked at in one go while a page is filled with visible ones.
-define(BATCH, 500).

%% @doc Asks the program of a virtual host. Takes as long as the program; call it from a process that
%% may wait.
-spec ask(binary(), asker(), mod_mqtt_rollup_adhoc:ask()) -> {ok, map()} | {error, failure()}.
ask(VHost, Asker, Ask) ->
    Fetch = fun(Question) -> mod_mqtt_rollup_port:request(VHost, Question, ?TIMEOUT) end,
    ask(Fetch, Asker, Ask, erlang:monotonic_time(millisecond) + 3 * ?TIMEOUT).

%% @doc The same with another way to the program; gives up at a moment of the monotonic clock.
-spec ask(fetch(), asker(), mod_mqtt_rollup_adhoc:ask(), Until :: integer()) ->
    {ok, map()} | {error, failure()}.
ask(Fetch, everything, Ask, _) ->
    Fetch(Ask);
ask(Fetch, _, status, _) ->
    Fetch(status);
ask(Fetch, Subject, {history, #{series := Name}} = Ask, _) ->
    case Fetch(Ask) of
        {ok, #{topic := Topic} = Answer} ->
            case mod_mqtt_rollup_access:may_see(Subject, Topic) of
                true -> {ok, Answer};
                false -> not_found()
            end;
        {error, {Code, _, _}} = Error when Code =:= timeout; Code =:= unavailable; Code =:= storage ->
            Error;
        {error, {not_found, _, _}} ->
            %% The program's own message may suggest names that the asker may not see.
            not_found();
        {error, _} = Error ->
            %% Whatever is wrong with the question, saying so would say that the series exists.
            case is_known(Fetch, Subject, Name) of
                true -> Error;
                false -> not_found()
            end
    end;
ask(Fetch, Subject, {series, Question}, Until) ->
    series(Fetch, Subject, Question, [], Until).

%% Is there a series of this name, or may it at least be known that there is none?
-spec is_known(fetch(), mod_mqtt_rollup_access:subject(), binary()) -> boolean().
is_known(Fetch, Subject, Name) ->
    Smallest = #{
        series => Name,
        from_ms => null,
        to_ms => null,
        last_ms => null,
        step_ms => null,
        aggregates => [avg],
        max => 1,
        'after' => <<>>
    },
    case Fetch({history, Smallest}) of
        {ok, #{topic := Topic}} -> mod_mqtt_rollup_access:may_see(Subject, Topic);
        {error, _} -> mod_mqtt_rollup_access:may_see_name(Subject, Name)
    end.

%% Fills a page with visible rows. The cursor after a row is known only at the end of an answer, so
%% the last batch is asked for once more, cut at the row that filled the page.
-spec series(fetch(), mod_mqtt_rollup_access:subject(), map(), [map()], integer()) ->
    {ok, map()} | {error, failure()}.
series(Fetch, Subject, #{max := Max} = Question, Found, Until) ->
    Batch = max(?BATCH, Max),
    case Fetch({series, Question#{max := Batch}}) of
        {ok, #{rows := Rows, next := Next}} ->
            case fill(Subject, Rows, Max - length(Found)) of
                {full, _, Position} when Position < length(Rows) ->
                    cut(Fetch, Subject, Question#{max := Position}, Found);
                {full, Visible, _} ->
                    {ok, #{rows => Found ++ Visible, next => Next}};
                {more, Visible} when Next =:= <<>> ->
                    {ok, #{rows => Found ++ Visible, next => <<>>}};
                {more, Visible} ->
                    case erlang:monotonic_time(millisecond) < Until of
                        true ->
                            series(Fetch, Subject, Question#{'after' := Next}, Found ++ Visible, Until);
                        false ->
                            {error, {timeout, <<>>, <<"The list takes too long">>}}
                    end
            end;
        {error, _} = Error ->
            Error
    end.

-spec cut(fetch(), mod_mqtt_rollup_access:subject(), map(), [map()]) -> {ok, map()} | {error, failure()}.
cut(Fetch, Subject, Question, Found) ->
    case Fetch({series, Question}) of
        {ok, #{rows := Rows, next := Next}} ->
            Visible = [Row || #{topic := Topic} = Row <- Rows, mod_mqtt_rollup_access:may_see(Subject, Topic)],
            {ok, #{rows => Found ++ Visible, next => Next}};
        {error, _} = Error ->
            Error
    end.

%% The visible rows, and at which position the page was full.
-spec fill(mod_mqtt_rollup_access:subject(), [map()], pos_integer()) ->
    {full, [map()], pos_integer()} | {more, [map()]}.
fill(Subject, Rows, Wanted) ->
    fill(Subject, Rows, Wanted, 0, []).

-spec fill(mod_mqtt_rollup_access:subject(), [map()], non_neg_integer(), non_neg_integer(), [map()]) ->
    {full, [map()], pos_integer()} | {more, [map()]}.
fill(_, _, 0, Position, Visible) ->
    {full, lists:reverse(Visible), Position};
fill(_, [], _, _, Visible) ->
    {more, lists:reverse(Visible)};
fill(Subject, [#{topic := Topic} = Row | Rows], Wanted, Position, Visible) ->
    case mod_mqtt_rollup_access:may_see(Subject, Topic) of
        true -> fill(Subject, Rows, Wanted - 1, Position + 1, [Row | Visible]);
        false -> fill(Subject, Rows, Wanted, Position + 1, Visible)
    end.

-spec not_found() -> {error, failure()}.
not_found() ->
    {error, {not_found, <<"series">>, <<"There is no such series">>}}.
