%% SPDX-License-Identifier: GPL-2.0-or-later
-module(mod_mqtt_rollup_commands_tests).

-include_lib("eunit/include/eunit.hrl").
-include("ejabberd_commands.hrl").

%% `ejabberdctl help' shows the long description, but neither result_desc nor an example.
the_help_names_the_columns_of_each_command_in_their_order_test_() ->
    [
        {atom_to_list(Name), fun() ->
            {_, {list, {_, {tuple, Fields}}}} = Result,
            Names = lists:join(", ", [atom_to_list(Field) || {Field, _} <- Fields]),
            Columns = lists:flatten(["Columns, parted by tabs: ", Names, ". "]),
            ?assertEqual(Columns, lists:sublist(Help, length(Columns)))
        end}
     || #ejabberd_commands{name = Name, longdesc = Help, result = Result} <- mod_mqtt_rollup_commands:commands()
    ].
