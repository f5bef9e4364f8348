%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc Where ejabberd 23.01 and later versions differ, or none has what is needed.
-module(mod_mqtt_rollup_compat).

-export([register_commands/3, unregister_commands/3, is_started/0, is_console/0]).

-include("ejabberd_commands.hrl").

%% @doc Is the start of ejabberd over?
-spec is_started() -> boolean().
is_started() ->
    lists:keymember(ejabberd, 1, application:which_applications(15000)).

%% @doc Does ejabberdctl run this command? No version tells a command who calls it. But ejabberdctl is a
%% node of its own, and what it calls here writes to there.
-spec is_console() -> boolean().
is_console() ->
    node(group_leader()) =/= node().

%% @doc Registers API commands once for all virtual hosts. Newer versions complain loudly about a
%% command that is there already, so the first host does it.
-spec register_commands(binary(), module(), [ejabberd_commands()]) -> ok.
register_commands(VHost, Module, Commands) ->
    case gen_mod:is_loaded_elsewhere(VHost, Module) of
        true -> ok;
        false -> ejabberd_commands:register_commands(Module, Commands)
    end.

%% @doc Takes them away with the last host. Old versions delete the very record that they stored,
%% which names its definer; newer ones go by the command's name.
-spec unregister_commands(binary(), module(), [ejabberd_commands()]) -> ok.
unregister_commands(VHost, Module, Commands) ->
    case gen_mod:is_loaded_elsewhere(VHost, Module) of
        true ->
            ok;
        false ->
            ejabberd_commands:unregister_commands(
                [Command#ejabberd_commands{definer = Module} || Command <- Commands]
            )
    end.
