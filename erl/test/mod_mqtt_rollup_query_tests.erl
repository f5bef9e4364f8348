%% SPDX-License-Identifier: GPL-2.0-or-later
-module(mod_mqtt_rollup_query_tests).

-include_lib("eunit/include/eunit.hrl").

%% A subject is opaque to everybody but the access module; here one is made of a rule.
-define(SUBJECT(Rule), #{ask => true, admin => false, topic => Rule}).

a_denied_series_looks_as_if_it_did_not_exist_test() ->
    Ask = {history, #{series => <<"secret/t">>}},
    Denied = mod_mqtt_rollup_query:ask(fun(_) -> {ok, #{topic => <<"secret/t">>, rows => []}} end, homeonly(), Ask, 0),
    Missing = mod_mqtt_rollup_query:ask(
        fun(_) -> {error, {not_found, <<"series">>, <<"no series secret/t">>}} end, homeonly(), Ask, 0
    ),
    ?assertEqual(Missing, Denied),
    ?assertMatch({error, {not_found, <<"series">>, _}}, Denied).

a_wrong_question_about_a_denied_series_says_no_more_test() ->
    %% The program knows these; it answers all questions but those with a bad step.
    Fetch = fun
        ({history, #{step_ms := 1}}) -> {error, {too_large, <<"step">>, <<"too many rows">>}};
        ({history, #{series := Name}}) -> {ok, #{topic => Name, rows => []}}
    end,
    Ask = fun(Name) ->
        mod_mqtt_rollup_query:ask(Fetch, homeonly(), {history, #{series => Name, step_ms => 1}}, 0)
    end,
    ?assertMatch({error, {not_found, _, _}}, Ask(<<"secret/t">>)),
    ?assertMatch({error, {too_large, <<"step">>, _}}, Ask(<<"home/t">>)).

a_name_in_several_streams_is_hinted_at_only_if_every_meaning_is_allowed_test() ->
    Fetch = fun(_) -> {error, {bad_request, <<"series">>, <<"in several streams: a, b">>}} end,
    Ask = fun(Name) -> mod_mqtt_rollup_query:ask(Fetch, homeonly(), {history, #{series => Name}}, 0) end,
    ?assertMatch({error, {bad_request, _, _}}, Ask(<<"home/a/t">>)),
    ?assertMatch({error, {not_found, _, _}}, Ask(<<"secret/a/t">>)),
    ?assertMatch({error, {not_found, _, _}}, Ask(<<"home/a:secret/t">>)).

that_the_program_is_away_is_no_secret_test() ->
    Fetch = fun(_) -> {error, {unavailable, <<>>, <<"down">>}} end,
    ?assertMatch(
        {error, {unavailable, _, _}},
        mod_mqtt_rollup_query:ask(Fetch, homeonly(), {history, #{series => <<"secret/t">>}}, 0)
    ).

an_allowed_series_is_shown_test() ->
    Answer = #{topic => <<"home/t">>, rows => []},
    ?assertEqual(
        {ok, Answer},
        mod_mqtt_rollup_query:ask(fun(_) -> {ok, Answer} end, homeonly(), {history, #{series => <<"home/t">>}}, 0)
    ).

somebody_whom_mod_mqtt_does_not_know_sees_nothing_unless_admin_test() ->
    ?assertNot(mod_mqtt_rollup_access:may_see(#{ask => true, admin => false, topic => unknown}, <<"a">>)),
    ?assert(mod_mqtt_rollup_access:may_see(#{ask => true, admin => true, topic => unknown}, <<"a">>)).

an_admin_is_bound_by_the_topics_too_test() ->
    ?assertNot(mod_mqtt_rollup_access:may_see((homeonly())#{admin => true}, <<"secret/t">>)).

pages_are_filled_with_visible_rows_only_test_() ->
    %% Every third of 2000 topics may be seen.
    Names = [list_to_binary(io_lib:format("~4..0b", [N])) || N <- lists:seq(0, 1999)],
    Visible = [Name || Name <- Names, binary_to_integer(Name) rem 3 =:= 0],
    Subject = ?SUBJECT(fun(Topic) -> lists:member(Topic, Visible) end),
    [
        ?_assertEqual(Visible, pages(Names, Subject, Max, <<>>, []))
     || Max <- [1, 7, 100, 500, 667, 3000]
    ].

a_list_without_visible_rows_is_empty_test() ->
    ?assertEqual([], pages([<<"a">>, <<"b">>], ?SUBJECT(fun(_) -> false end), 10, <<>>, [])).

%%% Helpers

homeonly() ->
    ?SUBJECT(fun(Topic) -> binary:part(Topic, 0, min(5, byte_size(Topic))) =:= <<"home/">> end).

%% Collects all pages; each must hold Max rows except for the last.
pages(Names, Subject, Max, After, Found) ->
    Question = {series, #{filter => <<>>, 'after' => After, max => Max}},
    Until = erlang:monotonic_time(millisecond) + 60000,
    {ok, #{rows := Rows, next := Next}} = mod_mqtt_rollup_query:ask(program(Names), Subject, Question, Until),
    ?assert(length(Rows) =< Max),
    Page = [Name || #{series := Name} <- Rows],
    case Next of
        <<>> ->
            Found ++ Page;
        _ ->
            ?assertEqual(Max, length(Page)),
            pages(Names, Subject, Max, Next, Found ++ Page)
    end.

program(Names) ->
    fun({series, #{'after' := After, max := Max}}) ->
        Rest = [Name || Name <- Names, Name > After],
        Page = lists:sublist(Rest, Max),
        Next =
            case length(Rest) > length(Page) of
                true -> lists:last(Page);
                false -> <<>>
            end,
        {ok, #{rows => [#{series => Name, topic => Name} || Name <- Page], next => Next}}
    end.
