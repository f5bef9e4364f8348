%% SPDX-License-Identifier: GPL-2.0-or-later
-module(mod_mqtt_rollup_feed_pacer_tests).

-include_lib("eunit/include/eunit.hrl").

-import(mod_mqtt_rollup_feed_fixture, [with_feed/2, publish/2, info/0, until/1, connect/0, read_all/2, name/1]).

-define(PACER, mod_mqtt_rollup_feed_pacer).
-define(FEED, mod_mqtt_rollup_feed).

a_single_message_now_and_then_is_no_reason_to_rest_test() ->
    ?assertEqual([go_on || _ <- lists:seq(1, 100)], verdicts([{1, false, N * 10} || N <- lists:seq(1, 100)])).

messages_that_come_fast_are_a_reason_to_rest_test() ->
    ?assertEqual([go_on, rest], verdicts([{19, false, 5}, {1, false, 16}])),
    ?assertEqual([go_on, go_on], verdicts([{19, false, 5}, {1, false, 17}])).

what_was_taken_before_a_rest_is_no_reason_for_another_test() ->
    ?assertEqual([rest, go_on, rest], verdicts([{500, false, 5}, {1, false, 15}, {19, false, 16}])).

while_more_is_in_the_mailbox_it_is_no_time_to_rest_test() ->
    ?assertEqual([go_on, go_on, rest], verdicts([{100, true, 1}, {100, true, 2}, {1, false, 3}])).

a_feed_to_which_messages_come_fast_rests_and_takes_all_of_them_test_() ->
    {timeout, 30, fun() ->
        with_feed(#{start => supervised}, fun(#{feed := Feed}) ->
            Port = connect(),
            Sent = publish_until_resting(Feed),
            until(fun(#{wanted := Wanted, waiting := Waiting}) -> Wanted =:= Sent andalso Waiting =:= Sent end),
            ?assertEqual(lists:seq(1, Sent), read_all(Port, Sent)),
            ?assertMatch(#{waiting := 0}, info()),
            %% It is woken up only when there is something to do.
            {reductions, Before} = process_info(whereis(name(?PACER)), reductions),
            timer:sleep(200),
            ?assertEqual({reductions, Before}, process_info(whereis(name(?PACER)), reductions))
        end)
    end}.

a_feed_goes_on_when_the_process_that_is_to_wake_it_up_ends_test_() ->
    {timeout, 30, fun() ->
        with_feed(#{start => supervised}, fun(#{feed := Feed}) ->
            Pacer = whereis(name(?PACER)),
            First = publish_until_resting(Feed),
            exit(Pacer, kill),
            until(fun(#{waiting := Waiting}) -> Waiting =:= First end),
            ?assertEqual(Feed, whereis(name(?FEED))),
            %% Another one has taken its place.
            mod_mqtt_rollup_feed_fixture:wait_for(fun() -> is_pid(whereis(name(?PACER))) end),
            ?assertNotEqual(Pacer, whereis(name(?PACER))),
            Second = publish_until_resting(Feed),
            until(fun(#{waiting := Waiting}) -> Waiting =:= First + Second end)
        end)
    end}.

a_feed_that_ends_while_it_rests_is_started_again_and_rests_test_() ->
    {timeout, 30, fun() ->
        with_feed(#{start => supervised}, fun(#{feed := Feed}) ->
            Pacer = whereis(name(?PACER)),
            _ = publish_until_resting(Feed),
            exit(Feed, kill),
            mod_mqtt_rollup_feed_fixture:wait_for(fun() -> is_another(Feed) end),
            Next = whereis(name(?FEED)),
            Sent = publish_until_resting(Next),
            until(fun(#{waiting := Waiting}) -> Waiting =:= Sent end),
            ?assertEqual(Pacer, whereis(name(?PACER)))
        end)
    end}.

a_feed_without_the_process_that_lets_it_rest_does_not_rest_test() ->
    with_feed(#{}, fun(#{feed := Feed}) ->
        ?assertEqual(undefined, whereis(name(?PACER))),
        Statuses = [publish_and_look(Feed) || _ <- lists:seq(1, 2000)],
        ?assertNot(lists:member(suspended, Statuses)),
        until(fun(#{waiting := Waiting}) -> Waiting =:= 2000 end)
    end).

verdicts(Takes) ->
    {Verdicts, _} = lists:mapfoldl(
        fun({Count, HasMore, Now}, Pace) -> ?PACER:taken(Count, HasMore, Now, Pace) end, ?PACER:new(0), Takes
    ),
    Verdicts.

%% Gives how many messages that took.
publish_until_resting(Feed) ->
    publish_until_resting(Feed, 1).

publish_until_resting(Feed, Sent) ->
    case publish_and_look(Feed) of
        suspended -> Sent;
        _ -> publish_until_resting(Feed, Sent + 1)
    end.

publish_and_look(Feed) ->
    publish(<<"home/a/t">>, <<"1">>),
    {status, Status} = process_info(Feed, status),
    Status.

is_another(Feed) ->
    case whereis(name(?FEED)) of
        undefined -> false;
        Pid -> Pid =/= Feed andalso element(1, ?FEED:info(<<"example.org">>)) =:= ok
    end.
