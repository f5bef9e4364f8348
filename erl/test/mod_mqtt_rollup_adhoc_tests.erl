%% SPDX-License-Identifier: GPL-2.0-or-later
-module(mod_mqtt_rollup_adhoc_tests).

-include_lib("eunit/include/eunit.hrl").
-include("xmpp.hrl").

-define(PAGE, #{language => en, rows_max => 5000}).

a_command_without_a_form_gets_one_test() ->
    {form, Reply} = first(#adhoc_command{node = <<"history">>, sid = <<"s">>}),
    #adhoc_command{sid = <<"s">>, status = executing, actions = Actions, xdata = Form} = Reply,
    ?assertEqual(#adhoc_actions{execute = complete, complete = true}, Actions),
    ?assertEqual(
        [<<"series">>, <<"last">>, <<"from">>, <<"to">>, <<"step">>, <<"aggregates">>, <<"max">>, <<"after">>],
        [F#xdata_field.var || F <- Form#xdata.fields]
    ),
    [Series | _] = Form#xdata.fields,
    ?assert(Series#xdata_field.required).

fields_carry_their_type_on_the_wire_test() ->
    {form, Reply} = first(#adhoc_command{node = <<"history">>, sid = <<"s">>}),
    Xml = iolist_to_binary(fxml:element_to_binary(xmpp:encode(Reply))),
    [
        ?assertNotEqual(nomatch, binary:match(Xml, Part))
     || Part <- [<<"xs:dateTime">>, <<"xs:integer">>, <<"<range">>, <<"xdata-validate">>, <<"<complete/>">>]
    ].

a_submitted_form_asks_the_program_test() ->
    ?assertEqual(
        {ask,
            {history, #{
                series => <<"home/t">>,
                from_ms => null,
                to_ms => null,
                last_ms => 86400000,
                step_ms => 3600000,
                aggregates => [avg, max],
                max => 50,
                'after' => <<>>
            }}},
        submit(<<"history">>, [
            {<<"series">>, [<<" home/t ">>]},
            {<<"last">>, [<<"24h">>]},
            {<<"step">>, [<<"1h">>]},
            {<<"aggregates">>, [<<"max">>, <<"avg">>]},
            {<<"max">>, [<<"50">>]}
        ])
    ).

a_beginning_wins_over_the_proposed_last_test() ->
    {ask, {history, Question}} = submit(<<"history">>, [
        {<<"series">>, [<<"t">>]},
        {<<"last">>, [<<"24h">>]},
        {<<"from">>, [<<"2026-04-04T12:00:00+02:00">>]},
        {<<"to">>, [<<"2026-04-05">>]}
    ]),
    ?assertMatch(
        #{from_ms := 1775296800000, to_ms := 1775347200000, last_ms := null, aggregates := []},
        Question
    ).

wrong_fields_are_named_test_() ->
    [
        ?_assertEqual({error, {bad_request, Expected}}, submit(<<"history">>, Fields))
     || {Fields, Expected} <- [
            {[], <<"Field series is required">>},
            {[{<<"series">>, [<<"  ">>]}], <<"Field series is required">>},
            {series([{<<"last">>, [<<"soon">>]}]),
                <<"Field last: expected a duration such as 90s, 5m, 24h or 7d">>},
            {series([{<<"step">>, [<<"0">>]}]),
                <<"Field step: expected a duration such as 90s, 5m, 24h or 7d">>},
            {series([{<<"from">>, [<<"yesterday">>]}]),
                <<"Field from: expected a time such as 2026-04-04T12:00:00Z">>},
            {series([{<<"max">>, [<<"5001">>]}]), <<"Field max: expected a number from 1 to 5000">>},
            {series([{<<"max">>, [<<"many">>]}]), <<"Field max: expected a number from 1 to 5000">>},
            {series([{<<"aggregates">>, [<<"median">>]}]),
                <<"Field aggregates: expected some of: avg, mean, min, max, sum, count, first, last, stddev, delta, "
                    "increase, rate, resets">>}
        ]
    ].

an_answer_becomes_a_table_with_a_sparkline_test() ->
    {ask, Ask} = submit(<<"history">>, series([{<<"aggregates">>, [<<"avg">>, <<"count">>]}])),
    {Reply, none} = answer(Ask, history(#{
        decimals => 1,
        aggregates => [avg, count],
        rows => [{1775296800000, [21.04, 60]}, {1775300400000, [null, 0]}],
        spark => <<"▃ "/utf8>>
    })),
    #adhoc_command{status = completed, actions = undefined, notes = Notes, xdata = Table} = Reply,
    ?assertEqual([<<"▃ "/utf8>>], [N#adhoc_note.data || N <- Notes]),
    ?assertEqual(
        [<<"start">>, <<"avg">>, <<"count">>], [F#xdata_field.var || F <- Table#xdata.reported]
    ),
    ?assertEqual(
        [
            [[<<"2026-04-04T10:00:00Z">>], [<<"21.0">>], [<<"60">>]],
            [[<<"2026-04-04T11:00:00Z">>], [<<>>], [<<"0">>]]
        ],
        [[F#xdata_field.values || F <- Row] || Row <- Table#xdata.items]
    ),
    ?assertEqual(<<"Kitchen (home/t) [°C]"/utf8>>, Table#xdata.title).

the_columns_are_those_of_the_answer_test() ->
    {ask, Ask} = submit(<<"history">>, series([])),
    {Reply, none} = answer(Ask, history(#{
        decimals => 1,
        aggregates => [increase, rate, resets],
        rows => [{1775296800000, [12.5, 0.000208333, 1]}, {1775300400000, [0.0, null, 0]}]
    })),
    #adhoc_command{xdata = Table} = Reply,
    ?assertEqual(
        [<<"start">>, <<"increase">>, <<"rate">>, <<"resets">>], [F#xdata_field.var || F <- Table#xdata.reported]
    ),
    ?assertEqual(
        [[[<<"12.5">>], [<<"0.000208333">>], [<<"1">>]], [[<<"0.0">>], [<<>>], [<<"0">>]]],
        [[F#xdata_field.values || F <- tl(Row)] || Row <- Table#xdata.items]
    ).

pages_go_forth_and_back_test() ->
    {ask, Ask} = submit(<<"history">>, series([])),
    {First, Session1} = answer(Ask, history(#{next => <<"c1">>})),
    #adhoc_command{status = executing, actions = Actions1, xdata = #xdata{fields = Fields}} = First,
    ?assertEqual(#adhoc_actions{execute = next, next = true, complete = true}, Actions1),
    ?assertMatch([#xdata_field{var = <<"after">>, type = hidden, values = [<<"c1">>]}], Fields),

    {ask, #{ask := {history, #{'after' := <<"c1">>}}} = At2} = mod_mqtt_rollup_adhoc:page(next, Session1),
    {Second, Session2} = answer(At2, history(#{next => <<"c2">>})),
    ?assertEqual(
        #adhoc_actions{execute = next, next = true, prev = true, complete = true}, Second#adhoc_command.actions
    ),

    {ask, #{ask := {history, #{'after' := <<"c2">>}}} = At3} = mod_mqtt_rollup_adhoc:page(execute, Session2),
    {Last, Session3} = answer(At3, history(#{})),
    ?assertEqual(
        #adhoc_actions{execute = complete, prev = true, complete = true}, Last#adhoc_command.actions
    ),
    ?assertEqual(finished, mod_mqtt_rollup_adhoc:page(next, Session3)),

    {ask, #{ask := {history, #{'after' := <<"c1">>}}} = Back} = mod_mqtt_rollup_adhoc:page(prev, Session3),
    {_, Session4} = answer(Back, history(#{next => <<"c2">>})),
    {ask, #{ask := {history, #{'after' := <<>>}}}} = mod_mqtt_rollup_adhoc:page(prev, Session4).

complete_and_cancel_end_a_session_test() ->
    {_, Session} = answer(element(2, submit(<<"history">>, series([]))), history(#{next => <<"c">>})),
    ?assertEqual(finished, mod_mqtt_rollup_adhoc:page(complete, Session)),
    ?assertEqual(canceled, mod_mqtt_rollup_adhoc:page(cancel, Session)),
    {canceled, Reply} = first(#adhoc_command{node = <<"history">>, sid = <<"s">>, action = cancel}),
    ?assertMatch(#adhoc_command{status = canceled, xdata = undefined}, Reply).

a_forgotten_session_is_an_error_test() ->
    ?assertMatch({error, {expired, _}}, first(#adhoc_command{node = <<"series">>, sid = <<"old">>, action = next})).

an_unknown_command_is_an_error_test() ->
    ?assertMatch({error, {not_found, _}}, first(#adhoc_command{node = <<"ack">>})).

series_are_listed_with_value_age_and_count_test() ->
    {ask, Ask} = submit(<<"series">>, [{<<"filter">>, [<<"home/#">>]}]),
    ?assertEqual({series, #{filter => <<"home/#">>, 'after' => <<>>, max => 100}}, Ask),
    {Reply, none} = answer(Ask, #{
        rows => [
            row(#{value => 21.5, age_ms => 12345, count => 288}), row(#{value => null, age_ms => null, count => 0})
        ],
        next => <<>>
    }),
    #adhoc_command{xdata = #xdata{items = Items}} = Reply,
    ?assertEqual(
        [
            [<<"home/t">>, <<"Kitchen">>, <<"21.5">>, <<"°C"/utf8>>, <<"12">>, <<"288">>, <<"temperature">>],
            [<<"home/t">>, <<"Kitchen">>, <<>>, <<"°C"/utf8>>, <<>>, <<"0">>, <<"temperature">>]
        ],
        [[V || #xdata_field{values = [V]} <- Row] || Row <- Items]
    ).

the_status_shows_counts_and_no_topic_test() ->
    {ask, status} = first(#adhoc_command{node = <<"status">>}),
    {Reply, none} = answer(status, status()),
    Xml = iolist_to_binary(fxml:element_to_binary(xmpp:encode(Reply))),
    ?assertEqual(nomatch, binary:match(Xml, <<"secret">>)),
    Facts = [{F#xdata_field.var, F#xdata_field.values} || F <- (Reply#adhoc_command.xdata)#xdata.fields],
    ?assertEqual([<<"1h1m1s">>], proplists:get_value(<<"uptime">>, Facts)),
    ?assertEqual([<<"not_a_number: 2">>], proplists:get_value(<<"dropped">>, Facts)),
    ?assertEqual([<<"alerts_per_rule: 3">>], proplists:get_value(<<"refused">>, Facts)),
    ?assertEqual([<<"ejabberd: connected">>], proplists:get_value(<<"brokers">>, Facts)),
    ?assertEqual(
        [
            <<"waiting: 3 (120 bytes in memory, 0 in files)">>,
            <<"oldest: 4 s">>,
            <<"dropped: 1">>,
            <<"publications: 20, of which wanted: 10">>
        ],
        proplists:get_value(<<"feed">>, Facts)
    ).

a_status_without_refusals_has_no_line_about_them_test() ->
    Vars = fun(Refused) ->
        {#adhoc_command{xdata = #xdata{fields = Fields}}, none} = answer(status, (status())#{refused => Refused}),
        [Var || #xdata_field{var = Var} <- Fields]
    end,
    ?assert(lists:member(<<"refused">>, Vars(#{alerts_per_rule => 1}))),
    [?assertNot(lists:member(<<"refused">>, Vars(Refused))) || Refused <- [#{}, #{alerts_per_rule => 0}]].

german_is_complete_test() ->
    {form, Reply} = mod_mqtt_rollup_adhoc:first(#adhoc_command{node = <<"history">>}, ?PAGE#{language => de}),
    ?assertEqual(<<"Verlauf einer Reihe">>, (Reply#adhoc_command.xdata)#xdata.title),
    ?assertEqual(de, mod_mqtt_rollup_text:language(<<"de-AT">>, <<"en">>)),
    ?assertEqual(de, mod_mqtt_rollup_text:language(<<"fr">>, <<"de">>)),
    ?assertEqual(en, mod_mqtt_rollup_text:language(<<"fr">>, <<"fr">>)),
    ?assertEqual(<<"Das Feld x ist nötig"/utf8>>, mod_mqtt_rollup_text:t(de, missing, [<<"x">>])).

values_are_shown_with_their_decimals_test() ->
    ?assertEqual(<<"21.0">>, mod_mqtt_rollup_text:value(21.04, 1)),
    ?assertEqual(<<"0">>, mod_mqtt_rollup_text:value(-0.3, 0)),
    ?assertEqual(<<"-1">>, mod_mqtt_rollup_text:value(-0.7, 0)),
    ?assertEqual(<<>>, mod_mqtt_rollup_text:value(null, 3)),
    ?assertEqual(<<"1.0e300">>, mod_mqtt_rollup_text:value(1.0e300, 2)),
    ?assertEqual(<<"0.1">>, mod_mqtt_rollup_text:number(0.1)),
    ?assertEqual(<<"3">>, mod_mqtt_rollup_text:number(3.0)).

%%% Helpers

first(Command) ->
    mod_mqtt_rollup_adhoc:first(Command, ?PAGE).

submit(Node, Fields) ->
    Form = #xdata{type = submit, fields = [#xdata_field{var = V, values = L} || {V, L} <- Fields]},
    first(#adhoc_command{node = Node, sid = <<"s">>, action = complete, xdata = Form}).

answer(Where, Answer) ->
    mod_mqtt_rollup_adhoc:answer(#adhoc_command{node = <<"n">>, sid = <<"s">>}, Where, Answer, ?PAGE).

series(Fields) ->
    [{<<"series">>, [<<"home/t">>]} | Fields].

status() ->
    #{
        build => <<"1.0">>,
        uptime_ms => 3661999,
        started_ms => 0,
        series => 5,
        alerts => 2,
        alarms => 1,
        received => 10,
        accepted => 8,
        dropped => #{not_a_number => 2, future => 0},
        refused => #{alerts_per_rule => 3},
        streams => [#{name => <<"t">>, examples => #{not_a_number => <<"secret/topic">>}}],
        brokers => [#{name => <<"ejabberd">>, state => connected}],
        history => #{bytes => 4096, error => <<>>},
        feed => #{
            waiting => 3, memory_bytes => 120, disk_bytes => 0, age_ms => 4200, lost => 1, seen => 20, wanted => 10
        }
    }.

history(Answer) ->
    maps:merge((row(#{}))#{decimals => 1, aggregates => [avg, min, max], rows => [], spark => <<>>, next => <<>>}, Answer).

row(Row) ->
    maps:merge(
        #{
            series => <<"home/t">>,
            stream => <<"temperature">>,
            broker => <<"ejabberd">>,
            topic => <<"home/t">>,
            field => <<>>,
            unit => <<"°C"/utf8>>,
            title => <<"Kitchen">>
        },
        Row
    ).
