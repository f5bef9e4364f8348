%% SPDX-License-Identifier: GPL-2.0-or-later

-module(mod_mqtt_rollup_feed_files_tests).

-include_lib("eunit/include/eunit.hrl").
-include_lib("kernel/include/file.hrl").

-define(FILES, mod_mqtt_rollup_feed_files).

what_is_written_can_be_read_and_deleted_test() ->
    with_dir(fun(Dir) ->
        ?assertEqual(ok, ?FILES:write(Dir, "a", <<"one">>, [])),
        ?assertEqual(ok, ?FILES:write(Dir, "a", <<"two">>, [sync])),
        ?assertEqual({ok, <<"two">>}, ?FILES:read(Dir, "a")),
        ?FILES:delete(Dir, "a"),
        ?FILES:delete(Dir, "a"),
        ?assertMatch({error, _}, ?FILES:read(Dir, "a"))
    end).

the_directory_is_nobody_elses_business_test() ->
    with_dir(fun(Dir) ->
        ok = ?FILES:write(Dir, "a", <<"one">>, []),
        {ok, #file_info{mode = Mode}} = file:read_file_info(Dir),
        ?assertEqual(8#700, Mode band 8#777)
    end).

numbers_begin_above_those_of_earlier_starts_also_when_the_clock_was_set_back_test() ->
    with_dir(fun(Dir) ->
        ?assertEqual(5000, ?FILES:next_number(Dir, 5000)),
        ?assertEqual(6000, ?FILES:next_number(Dir, 6000)),
        Back = ?FILES:next_number(Dir, 100),
        ?assert(Back > 1 bsl 40),
        ?assert(?FILES:next_number(Dir, 100) > Back + (1 bsl 40)),
        ?assertEqual([], ?FILES:list(Dir))
    end).

numbers_go_on_in_another_directory_test() ->
    with_dir(fun(Dir) ->
        Old = filename:join(Dir, "old"),
        New = filename:join(Dir, "new"),
        6000 = ?FILES:next_number(Old, 6000),
        ?assertEqual(ok, ?FILES:move_number(Old, New)),
        ?assert(?FILES:next_number(New, 100) > 6000)
    end).

numbers_begin_with_the_time_where_nothing_can_be_read_or_written_test() ->
    with_dir(fun(Dir) ->
        ok = filelib:ensure_dir(filename:join(Dir, "x")),
        File = filename:join(Dir, "file"),
        ok = file:write_file(File, <<>>),
        ?assertEqual(5000, ?FILES:next_number(File, 5000)),
        ok = file:write_file(?FILES:path(Dir, "number"), <<"damaged">>),
        ?assertEqual(5000, ?FILES:next_number(Dir, 5000))
    end).

every_damage_is_noticed_test() ->
    with_dir(fun(Dir) ->
        ok = ?FILES:write(Dir, "a", <<"one">>, []),
        {ok, Data} = file:read_file(?FILES:path(Dir, "a")),
        Size = byte_size(Data),
        Damaged =
            [binary:part(Data, 0, Length) || Length <- lists:seq(0, Size - 1)] ++
                [flip(Data, Bit) || Bit <- lists:seq(0, 8 * Size - 1)] ++ [<<Data/binary, 0>>],
        lists:foreach(
            fun(Bad) ->
                ok = file:write_file(?FILES:path(Dir, "a"), Bad),
                ?assertEqual({error, "it is damaged"}, ?FILES:read(Dir, "a"))
            end,
            Damaged
        )
    end).

what_cannot_be_written_leaves_nothing_test() ->
    with_dir(fun(Dir) ->
        ok = file:make_dir(Dir),
        ok = file:make_dir(?FILES:path(Dir, "a")),
        ?assertMatch({error, _}, ?FILES:write(Dir, "a", <<"one">>, [])),
        ?assertEqual([], ?FILES:list(Dir)),
        ok = file:write_file(?FILES:path(Dir, "file"), <<>>),
        ?assertMatch({error, _}, ?FILES:write(?FILES:path(Dir, "file"), "a", <<"one">>, []))
    end).

a_file_moves_and_a_damaged_one_stays_test() ->
    with_dir(fun(Dir) ->
        [From, To] = [filename:join(Dir, Name) || Name <- ["from", "to"]],
        ok = ?FILES:write(From, "a", <<"one">>, []),
        ?assertEqual(ok, ?FILES:move("a", From, To)),
        ?assertEqual({[], {ok, <<"one">>}}, {?FILES:list(From), ?FILES:read(To, "a")}),
        ok = file:write_file(?FILES:path(From, "b"), <<"x">>),
        ?assertMatch({error, _}, ?FILES:move("b", From, To)),
        ?assertMatch([{"b", _, _}], ?FILES:list(From))
    end).

what_is_half_written_or_put_aside_is_not_listed_test() ->
    with_dir(fun(Dir) ->
        ?assertEqual([], ?FILES:list(Dir)),
        [ok = ?FILES:write(Dir, Name, <<"one">>, []) || Name <- ["a", "b"]],
        ok = file:write_file(?FILES:path(Dir, "c.tmp"), <<"x">>),
        ?FILES:put_aside(Dir, "b"),
        Now = os:system_time(millisecond),
        [{"a", 3, Since}] = ?FILES:list(Dir),
        ?assert(abs(Now - Since) < 60000),
        {ok, Names} = file:list_dir(Dir),
        ?assertEqual(["a", "b.aside"], lists:sort(Names))
    end).

%%% Helpers

with_dir(Test) ->
    Base = string:trim(os:cmd("mktemp -d")),
    try
        Test(filename:join(Base, "feed"))
    after
        file:del_dir_r(Base)
    end.

flip(Data, Bit) ->
    Size = bit_size(Data),
    <<Number:Size>> = Data,
    <<(Number bxor (1 bsl Bit)):Size>>.
