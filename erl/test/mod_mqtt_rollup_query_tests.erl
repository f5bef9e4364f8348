%% SPDX-License-Identifier: GPL-2.0-or-later
-module(mod_mqtt_rollup_query_tests).

-include_lib("eunit/include/eunit.hrl").

%% A subject is opaque to everybody but the access module; here one is made of a rule.
-define(SUBJECT(Rule), #{who => alice, ask => true, admin => false, topic => Rule}).

%%% Hidden and not existing are the same

a_hidden_series_looks_in_every_answer_as_if_it_did_not_exist_test_() ->
    Seen = [key(<<"home/a">>), key(<<"home/b">>), key(<<"home/x-secret/t-x">>)],
    Hidden = [
        key(<<"secret/t">>),
        key(<<"secret/u">>),
        key(<<"zzz">>),
        {<<"other">>, <<"b">>, <<"secret/t">>, <<>>},
        {<<"multi">>, <<"b">>, <<"secret/t">>, <<"field">>}
    ],
    Histories = [
        {history, (history(Name))#{step_ms := Step, 'after' := After}}
     || Name <- [<<"secret/t">>, <<"t:secret/t">>, <<"secret/t/field">>, <<"secret/">>, <<"secret/v">>],
        Step <- [null, 1],
        After <- [<<>>, <<"1.2.3.4">>]
    ],
    Lists = [
        list(Filter, After, Max)
     || Filter <- [<<>>, <<"#">>, <<"secret/t">>, <<"secret">>, <<"secret/#">>, <<"t">>, <<"+/t">>, <<"zzz">>],
        After <- [<<>>, <<"2">>, <<"secret/t">>],
        Max <- [1, 3, 100]
    ],
    [
        ?_assertEqual(opened(Seen, Ask), opened(lists:sort(Seen ++ Hidden), Ask))
     || Ask <- Histories ++ Lists
    ].

%% Cursors differ each time, so only whether there is one is compared, and what comes after it.
opened(Keys, Ask) ->
    case ask(Keys, homeonly(), Ask) of
        {ok, #{next := Next} = Answer} when Next =/= <<>> ->
            {Kind, Question} = Ask,
            {Answer#{next := more}, opened(Keys, {Kind, Question#{'after' := Next}})};
        Answer ->
            Answer
    end.

nothing_is_asked_about_a_hidden_series_but_its_name_test() ->
    Keys = [key(<<"home/a">>), key(<<"secret/t">>)],
    Asked = fun(Ask) ->
        {_, Questions} = recorded(Keys, homeonly(), Ask),
        [Question || Question <- Questions, element(1, Question) =/= names]
    end,
    ?assertEqual([], Asked({history, history(<<"secret/t">>)})),
    ?assertEqual([{series, [key(<<"home/a">>)]}], Asked(list(<<>>, <<>>, 10))),
    ?assertEqual([], Asked(list(<<"secret/t">>, <<>>, 10))),
    ?assertMatch([{history, #{series := {_, _, <<"home/a">>, _}}}], Asked({history, history(<<"home/a">>)})).

that_the_program_is_away_is_no_secret_test() ->
    Fetch = fun(_) -> {error, {unavailable, <<>>, <<"down">>}} end,
    [
        ?assertMatch({error, {unavailable, _, _}}, mod_mqtt_rollup_query:ask(Fetch, homeonly(), Ask, 0))
     || Ask <- [{history, history(<<"secret/t">>)}, list(<<>>, <<>>, 1), status]
    ].

%%% Names

a_wrong_question_about_a_visible_series_is_told_test() ->
    Ask = {history, (history(<<"home/a">>))#{step_ms := 1}},
    ?assertMatch({error, {too_large, <<"step">>, _}}, ask([key(<<"home/a">>)], homeonly(), Ask)).

a_name_in_several_streams_needs_the_stream_of_those_that_are_visible_test() ->
    Keys = [{<<"s1">>, <<"b">>, <<"home/a">>, <<>>}, {<<"s2">>, <<"b">>, <<"home/a">>, <<>>}],
    ?assertEqual(
        {error,
            {bad_request, <<"series">>,
                <<"several streams have a series of this name, choose one of s1:home/a, s2:home/a">>}},
        ask(Keys, homeonly(), {history, history(<<"home/a">>)})
    ),
    ?assertMatch({ok, #{stream := <<"s2">>}}, ask(Keys, homeonly(), {history, history(<<"s2:home/a">>)})),
    Other = {<<"s2">>, <<"b">>, <<"secret">>, <<"a">>},
    ?assertMatch({ok, #{stream := <<"s1">>}}, ask([hd(Keys), Other], homeonly(), {history, history(<<"home/a">>)})).

a_topic_is_enough_where_it_has_one_series_test() ->
    A = {<<"s">>, <<"b">>, <<"home/a">>, <<"x">>},
    B = {<<"s">>, <<"b">>, <<"home/a">>, <<"y">>},
    Ask = {history, history(<<"home/a">>)},
    ?assertMatch({ok, #{topic := <<"home/a">>}}, ask([A], homeonly(), Ask)),
    ?assertEqual(
        {error,
            {bad_request, <<"series">>, <<"several series have this topic, choose one of home/a/x, home/a/y">>}},
        ask([A, B], homeonly(), Ask)
    ).

only_visible_names_are_suggested_test() ->
    Keys = [key(<<"home/kitchen">>), key(<<"secret/kitchen">>)],
    Ask = {history, history(<<"kitchen">>)},
    ?assertEqual({error, {alike, <<"series">>, <<"home/kitchen">>}}, ask(Keys, homeonly(), Ask)),
    ?assertEqual(
        {error, {alike, <<"series">>, <<"home/kitchen, secret/kitchen">>}}, ask(Keys, everything, Ask)
    ),
    ?assertMatch({error, {not_found, _, _}}, ask(tl(Keys), homeonly(), Ask)).

somebody_whom_mod_mqtt_does_not_know_sees_nothing_unless_admin_test() ->
    Unknown = #{who => stranger, ask => true, admin => false, topic => unknown},
    ?assertNot(mod_mqtt_rollup_access:may_see(Unknown, <<"a">>)),
    ?assert(mod_mqtt_rollup_access:may_see(Unknown#{admin := true}, <<"a">>)).

an_admin_is_bound_by_the_topics_too_test() ->
    ?assertNot(mod_mqtt_rollup_access:may_see((homeonly())#{admin => true}, <<"secret/t">>)).

%%% Pages

pages_are_filled_with_visible_rows_only_test_() ->
    %% Every third of 2000 topics may be seen.
    Names = [list_to_binary(io_lib:format("~4..0b", [N])) || N <- lists:seq(0, 1999)],
    Visible = [Name || Name <- Names, binary_to_integer(Name) rem 3 =:= 0],
    Subject = ?SUBJECT(fun(Topic) -> lists:member(Topic, Visible) end),
    Keys = [key(Name) || Name <- Names],
    [?_assertEqual(Visible, lists:append(full_pages(Keys, Subject, Max))) || Max <- [7, 100, 500, 667, 3000]].

a_list_without_visible_rows_is_empty_test() ->
    ?assertEqual([[]], pages([key(<<"a">>), key(<<"b">>)], ?SUBJECT(fun(_) -> false end), 10)).

there_is_no_next_page_where_only_hidden_rows_follow_test() ->
    Keys = [key(<<"home/a">>), key(<<"home/b">>), key(<<"secret/t">>)],
    ?assertEqual([[<<"home/a">>, <<"home/b">>]], pages(Keys, homeonly(), 2)).

bytes_bound_a_page_test() ->
    Names = [<<C, (binary:copy(<<"x">>, 60000))/binary>> || C <- lists:seq($A, $Z) ++ lists:seq($a, $z)],
    Pages = pages([key(Name) || Name <- Names], everything, 5000),
    ?assertEqual(Names, lists:append(Pages)),
    ?assert(length(Pages) > 1),
    [?assert(iolist_size(Page) =< 1024 * 1024 + 60001) || Page <- Pages].

when_the_time_is_over_the_page_is_what_was_found_test() ->
    Names = [list_to_binary(io_lib:format("~4..0b", [N])) || N <- lists:seq(0, 2999)],
    Keys = [key(Name) || Name <- Names],
    Subject = ?SUBJECT(fun(Topic) -> Topic =:= <<"0001">> orelse Topic =:= <<"2998">> end),
    Late = erlang:monotonic_time(millisecond) - 1,
    Ask = fun(After) -> mod_mqtt_rollup_query:ask(program(Keys), Subject, list(<<>>, After, 10), Late) end,
    {ok, #{rows := [#{series := <<"0001">>}], next := Next1}} = Ask(<<>>),
    {ok, #{rows := [], next := Next2}} = Ask(Next1),
    ?assertMatch({ok, #{rows := [#{series := <<"2998">>}], next := <<>>}}, Ask(Next2)).

%%% Cursors

a_cursor_is_good_for_its_asker_and_its_question_only_test() ->
    Keys = [key(<<"home/a">>), key(<<"home/b">>), key(<<"home/c">>)],
    {ok, #{next := Next}} = ask(Keys, homeonly(), list(<<"home">>, <<>>, 1)),
    ?assertMatch({ok, #{rows := [#{series := <<"home/b">>}]}}, ask(Keys, homeonly(), list(<<"home">>, Next, 1))),
    Refused = {error,
        {bad_request, <<"after">>, <<"this is not where a page of this answer ended, begin again without it">>}},
    Bob = (homeonly())#{who => bob},
    ?assertEqual(Refused, ask(Keys, Bob, list(<<"home">>, Next, 1))),
    ?assertEqual(Refused, ask(Keys, everything, list(<<"home">>, Next, 1))),
    ?assertEqual(Refused, ask(Keys, homeonly(), list(<<"hom">>, Next, 1))),
    ?assertEqual(Refused, ask(Keys, homeonly(), {history, (history(<<"home/a">>))#{'after' := Next}})),
    <<First, Rest/binary>> = Next,
    Other = <<(First bxor 1), Rest/binary>>,
    [
        ?assertEqual(Refused, ask(Keys, homeonly(), list(<<"home">>, After, 1)))
     || After <- [Other, <<"2">>, <<"home/a">>, <<"!">>, base64:encode(<<0:1000>>), <<0>>, <<"é"/utf8>>]
    ].

a_cursor_says_nothing_test() ->
    Names = [<<"home/a">>, <<"home/b">>],
    {ok, #{next := Next}} = ask([key(Name) || Name <- Names], homeonly(), list(<<>>, <<>>, 1)),
    Bytes = base64:decode(Next),
    [?assertEqual(nomatch, binary:match(Bytes, Name)) || Name <- Names],
    %% Nor by its length.
    Longer = [key(<<"home/a", (binary:copy(<<"x">>, 100))/binary>>), key(<<"home/b">>)],
    {ok, #{next := Next2}} = ask(Longer, homeonly(), list(<<>>, <<>>, 1)),
    ?assertEqual(byte_size(Next), byte_size(Next2)).

a_history_goes_on_with_its_cursor_test() ->
    Keys = [key(<<"home/a">>)],
    {ok, #{next := Next}} = ask(Keys, homeonly(), {history, history(<<"home/a">>)}),
    Second = {history, (history(<<"home/a">>))#{'after' := Next}},
    ?assertMatch({ok, #{rows := [second], next := <<>>}}, ask(Keys, homeonly(), Second)).

%%% Helpers

key(Topic) ->
    {<<"t">>, <<"b">>, Topic, <<>>}.

list(Filter, After, Max) ->
    {series, #{filter => Filter, 'after' => After, max => Max}}.

history(Name) ->
    #{series => Name, step_ms => null, 'after' => <<>>}.

homeonly() ->
    ?SUBJECT(fun(Topic) -> binary:part(Topic, 0, min(5, byte_size(Topic))) =:= <<"home/">> end).

ask(Keys, Asker, Ask) ->
    mod_mqtt_rollup_query:ask(program(Keys), Asker, Ask, erlang:monotonic_time(millisecond) + 60000).

recorded(Keys, Asker, Ask) ->
    Program = program(Keys),
    Self = self(),
    Fetch = fun(Question) ->
        Self ! {asked, Question},
        Program(Question)
    end,
    Answer = mod_mqtt_rollup_query:ask(Fetch, Asker, Ask, erlang:monotonic_time(millisecond) + 60000),
    {Answer, asked()}.

asked() ->
    receive
        {asked, Question} -> [Question | asked()]
    after 0 -> []
    end.

%% All pages of the list.
pages(Keys, Asker, Max) ->
    pages(Keys, Asker, Max, <<>>).

pages(Keys, Asker, Max, After) ->
    {ok, #{rows := Rows, next := Next}} = ask(Keys, Asker, list(<<>>, After, Max)),
    ?assert(length(Rows) =< Max),
    [[Name || #{series := Name} <- Rows] | [Page || Next =/= <<>>, Page <- pages(Keys, Asker, Max, Next)]].

%% All but the last one hold Max rows.
full_pages(Keys, Asker, Max) ->
    Pages = pages(Keys, Asker, Max),
    [?assertEqual(Max, length(Page)) || Page <- lists:droplast(Pages)],
    Pages.

%% What the program says to its questions (docs/PROTOCOL.md), about these series.
program(Keys) ->
    fun
        ({names, #{filter := Text, match := Match, 'after' := After, max := Max}}) ->
            Rest = [Key || Key <- Keys, After =:= null orelse Key > After, is_meant(Match, Text, Key)],
            {ok, #{names => lists:sublist(Rest, Max), more => length(Rest) > Max}};
        ({series, Asked}) ->
            {ok, #{rows => [row(Key) || Key <- Asked, lists:member(Key, Keys)]}};
        ({history, #{step_ms := 1}}) ->
            {error, {too_large, <<"step">>, <<"too many rows">>}};
        ({history, #{series := Key, 'after' := <<>>}}) ->
            {ok, (row(Key))#{rows => [first], next => <<"1.2.3.4">>}};
        ({history, #{series := Key, 'after' := <<"1.2.3.4">>}}) ->
            {ok, (row(Key))#{rows => [second], next => <<>>}}
    end.

row({Stream, _, Topic, _} = Key) ->
    #{series => name(Key), stream => Stream, topic => Topic}.

is_meant(exact, Text, {Stream, _, Topic, _} = Key) ->
    lists:member(Text, [name(Key), Topic, <<Stream/binary, ":", (name(Key))/binary>>]);
is_meant(part, Text, _) when Text =:= <<>>; Text =:= <<"#">> ->
    true;
is_meant(part, <<"secret/#">>, {_, _, Topic, _}) ->
    binary:match(Topic, <<"secret">>) =:= {0, 6};
is_meant(part, <<"+/t">>, {_, _, Topic, _}) ->
    Topic =:= <<"secret/t">>;
is_meant(_, Text, Key) ->
    binary:match(name(Key), Text) =/= nomatch.

name({_, _, Topic, <<>>}) -> Topic;
name({_, _, Topic, Field}) -> <<Topic/binary, "/", Field/binary>>.
