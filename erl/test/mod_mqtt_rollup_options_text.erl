%% SPDX-License-Identifier: GPL-2.0-or-later

%% The list of options in ejabberd/README.md, made of the table.
-module(mod_mqtt_rollup_options_text).

-export([markdown/0]).

markdown() ->
    [markdown("", Option) || Option <- mod_mqtt_rollup_options:table(module)].

markdown(Indent, #{name := Name, type := Type, doc := Doc} = Option) ->
    Default =
        case mod_mqtt_rollup_options:default_text(Option) of
            none -> "";
            required -> ". Required";
            Text -> [". Default: ", Text]
        end,
    Head = [Indent, "* `", atom_to_list(Name), "`: ", Doc, Default, "\n"],
    case mod_mqtt_rollup_options:subtable(Type) of
        none -> Head;
        Table -> [Head | [markdown(Indent ++ "  ", Below) || Below <- mod_mqtt_rollup_options:table(Table)]]
    end.
