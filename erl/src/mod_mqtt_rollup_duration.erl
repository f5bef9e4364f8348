%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc Durations as people write them: ejabberd's way (`5 minutes') and short (`90s', `1h30m', `2w').
%% Everywhere else they are integers in milliseconds. Pure.
-module(mod_mqtt_rollup_duration).

-export([parse/1, format/1]).

-export_type([milliseconds/0]).

-type milliseconds() :: non_neg_integer().

-define(SECOND, 1000).
-define(MINUTE, (60 * ?SECOND)).
-define(HOUR, (60 * ?MINUTE)).
-define(DAY, (24 * ?HOUR)).
%% Longer ones are a slip of the keyboard; it also keeps every sum of a time and a duration in 64 bits.
-define(LONGEST, (1000 * 365 * ?DAY)).

%% @doc Reads a duration. A plain integer counts seconds, as in ejabberd's own options.
-spec parse(term()) -> {ok, milliseconds()} | error.
parse(Seconds) when is_integer(Seconds) ->
    bounded(Seconds * ?SECOND);
parse(Atom) when is_atom(Atom) ->
    parse(atom_to_binary(Atom, utf8));
parse(Text) when is_binary(Text), byte_size(Text) =< 100 ->
    case re:run(Text, <<"^\\s*([0-9]{1,15})\\s*$">>, [{capture, all_but_first, binary}]) of
        {match, [Digits]} ->
            bounded(binary_to_integer(Digits) * ?SECOND);
        nomatch ->
            parse_parts(Text, 0)
    end;
parse(_) ->
    error.

%% @doc The short form, for people: `1h30m'. Milliseconds are shown only where there are any.
-spec format(milliseconds()) -> binary().
format(0) ->
    <<"0s">>;
format(Ms) ->
    Units = [{?DAY, "d"}, {?HOUR, "h"}, {?MINUTE, "m"}, {?SECOND, "s"}, {1, "ms"}],
    {Parts, 0} = lists:mapfoldl(
        fun({Size, Name}, Rest) ->
            case Rest div Size of
                0 -> {[], Rest};
                N -> {[integer_to_list(N), Name], Rest rem Size}
            end
        end,
        Ms,
        Units
    ),
    iolist_to_binary(Parts).

-spec parse_parts(binary(), milliseconds()) -> {ok, milliseconds()} | error.
parse_parts(Text, Sum) ->
    Part = <<"^\\s*([0-9]{1,15})\\s*([A-Za-z]+)\\s*(.*)$">>,
    case re:run(Text, Part, [{capture, all_but_first, binary}, dollar_endonly]) of
        {match, [Digits, Unit, Rest]} ->
            case {unit(string:lowercase(Unit)), Rest} of
                {unknown, _} -> error;
                {Size, <<>>} -> bounded(Sum + binary_to_integer(Digits) * Size);
                {Size, _} -> parse_parts(Rest, Sum + binary_to_integer(Digits) * Size)
            end;
        nomatch ->
            error
    end.

-spec bounded(integer()) -> {ok, milliseconds()} | error.
bounded(Ms) when Ms >= 0, Ms =< ?LONGEST -> {ok, Ms};
bounded(_) -> error.

-spec unit(binary()) -> pos_integer() | unknown.
unit(<<"ms">>) -> 1;
unit(<<"msec">>) -> 1;
unit(<<"msecs">>) -> 1;
unit(<<"millisecond">>) -> 1;
unit(<<"milliseconds">>) -> 1;
unit(<<"s">>) -> ?SECOND;
unit(<<"sec">>) -> ?SECOND;
unit(<<"secs">>) -> ?SECOND;
unit(<<"second">>) -> ?SECOND;
unit(<<"seconds">>) -> ?SECOND;
unit(<<"m">>) -> ?MINUTE;
unit(<<"min">>) -> ?MINUTE;
unit(<<"mins">>) -> ?MINUTE;
unit(<<"minute">>) -> ?MINUTE;
unit(<<"minutes">>) -> ?MINUTE;
unit(<<"h">>) -> ?HOUR;
unit(<<"hour">>) -> ?HOUR;
unit(<<"hours">>) -> ?HOUR;
unit(<<"d">>) -> ?DAY;
unit(<<"day">>) -> ?DAY;
unit(<<"days">>) -> ?DAY;
unit(<<"w">>) -> 7 * ?DAY;
unit(<<"week">>) -> 7 * ?DAY;
unit(<<"weeks">>) -> 7 * ?DAY;
unit(<<"y">>) -> 365 * ?DAY;
unit(<<"year">>) -> 365 * ?DAY;
unit(<<"years">>) -> 365 * ?DAY;
unit(_) -> unknown.
