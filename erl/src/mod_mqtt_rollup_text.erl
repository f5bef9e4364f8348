%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc Texts for people in English and German, and values and times as they are shown. Pure.
-module(mod_mqtt_rollup_text).

-export([printable/1, xml/1]).
-export([language/2, t/2, t/3, time/1, parse_time/1, value/2, statistic/3, number/1, seconds/1]).

-export_type([language/0]).

-type language() :: en | de.

%% @doc A text as it may stand in a line of a log, whatever it is: what is not UTF-8 is taken for Latin-1, and
%% control characters and ends of lines are shown as escapes.
-spec printable(term()) -> binary().
printable(Text) when is_binary(Text) ->
    case unicode:characters_to_binary(Text) of
        Text -> << <<(escaped(C))/binary>> || <<C/utf8>> <= Text >>;
        _ -> printable(unicode:characters_to_binary(Text, latin1))
    end;
printable(Other) ->
    printable(unicode:characters_to_binary(io_lib:format("~0p", [Other]))).

-spec escaped(char()) -> binary().
escaped($\n) -> <<"\\n">>;
escaped(C) when C < 32; C >= 127, C < 160; C =:= 16#2028; C =:= 16#2029 ->
    iolist_to_binary(io_lib:format("\\x{~.16b}", [C]));
escaped(C) -> <<C/utf8>>.

%% @doc A term with each text in it fit for XML 1.0: what must not be there is U+FFFD.
-spec xml(Term) -> Term when Term :: term().
xml(Text) when is_binary(Text) ->
    case is_xml(Text) of
        true -> Text;
        false -> to_xml(Text, <<>>)
    end;
xml([Head | Tail]) -> [xml(Head) | xml(Tail)];
xml(Tuple) when is_tuple(Tuple) -> list_to_tuple(xml(tuple_to_list(Tuple)));
xml(Other) -> Other.

-define(IS_XML(C),
    (C >= 32 andalso C < 16#FFFE orelse C > 16#FFFF orelse C =:= $\t orelse C =:= $\n orelse C =:= $\r)
).

-spec is_xml(binary()) -> boolean().
is_xml(<<C/utf8, Rest/binary>>) when ?IS_XML(C) -> is_xml(Rest);
is_xml(Rest) -> Rest =:= <<>>.

-spec to_xml(binary(), binary()) -> binary().
to_xml(<<C/utf8, Rest/binary>>, Done) when ?IS_XML(C) -> to_xml(Rest, <<Done/binary, C/utf8>>);
to_xml(<<_/utf8, Rest/binary>>, Done) -> to_xml(Rest, <<Done/binary, 16#FFFD/utf8>>);
to_xml(<<_, Rest/binary>>, Done) -> to_xml(Rest, <<Done/binary, 16#FFFD/utf8>>);
to_xml(<<>>, Done) -> Done.

%% @doc The language to answer in: the asker's, if it is one of ours, else the configured one.
-spec language(binary(), binary()) -> language().
language(Asked, Configured) ->
    case {known(Asked), known(Configured)} of
        {unknown, unknown} -> en;
        {unknown, Language} -> Language;
        {Language, _} -> Language
    end.

%% @doc A text in a language.
-spec t(language(), atom()) -> binary().
t(en, Key) -> element(1, both(Key));
t(de, Key) -> element(2, both(Key)).

%% @doc A text with values put in.
-spec t(language(), atom(), [term()]) -> binary().
t(Language, Key, Args) ->
    Format = unicode:characters_to_list(t(Language, Key)),
    unicode:characters_to_binary(io_lib:format(Format, Args)).

%% @doc A time as XEP-0082 writes it, in UTC.
-spec time(integer()) -> binary().
time(Ms) ->
    list_to_binary(calendar:system_time_to_rfc3339(Ms div 1000, [{offset, "Z"}])).

%% @doc Reads a time as XEP-0082 writes it; a date alone is its midnight in UTC.
-spec parse_time(binary()) -> {ok, integer()} | error.
parse_time(<<_:4/binary, "-", _:2/binary, "-", _:2/binary>> = Date) ->
    parse_time(<<Date/binary, "T00:00:00Z">>);
parse_time(Text) ->
    try
        {ok, calendar:rfc3339_to_system_time(binary_to_list(Text), [{unit, millisecond}])}
    catch
        error:_ -> error
    end.

%% @doc A value with a number of decimals; an unknown one is empty.
-spec value(number() | null, non_neg_integer()) -> binary().
value(null, _) ->
    <<>>;
value(Value, _) when is_integer(Value) ->
    integer_to_binary(Value);
value(Value, Decimals) when abs(Value) < 1.0e15 ->
    without_minus_zero(float_to_binary(Value, [{decimals, min(Decimals, 15)}]));
value(Value, _) ->
    number(Value).

%% @doc The value of a statistic of a series with so many decimals. One per second has more of them,
%% for it is small.
-spec statistic(atom(), number() | null, non_neg_integer()) -> binary().
statistic(rate, Value, _) -> value(Value, 9);
statistic(_, Value, Decimals) -> value(Value, Decimals).

%% @doc The shortest decimal that means the same number; an unknown one is empty.
-spec number(number() | null) -> binary().
number(null) -> <<>>;
number(Value) when is_integer(Value) -> integer_to_binary(Value);
number(Value) when Value == trunc(Value), abs(Value) < 1.0e15 -> integer_to_binary(trunc(Value));
number(Value) -> float_to_binary(Value, [short]).

%% @doc A duration in whole seconds; an unknown one is empty.
-spec seconds(integer() | null) -> binary().
seconds(null) -> <<>>;
seconds(Ms) -> integer_to_binary(Ms div 1000).

-spec known(binary()) -> language() | unknown.
known(<<"de", Rest/binary>>) when Rest =:= <<>>; binary_part(Rest, 0, 1) =:= <<"-">> -> de;
known(<<"en", Rest/binary>>) when Rest =:= <<>>; binary_part(Rest, 0, 1) =:= <<"-">> -> en;
known(_) -> unknown.

-spec without_minus_zero(binary()) -> binary().
without_minus_zero(<<"-", Digits/binary>> = Text) ->
    case re:run(Digits, <<"[1-9]">>) of
        nomatch -> Digits;
        {match, _} -> Text
    end;
without_minus_zero(Text) ->
    Text.

-spec both(atom()) -> {English :: binary(), German :: binary()}.
both(history) -> {<<"History of a series">>, <<"Verlauf einer Reihe"/utf8>>};
both(series) -> {<<"List of series">>, <<"Liste der Reihen"/utf8>>};
both(status) -> {<<"Status">>, <<"Status">>};
both(commands) -> {<<"Commands">>, <<"Befehle">>};
both(history_help) ->
    {<<"Give the last hours or days, or a beginning and an end.">>,
     <<"Gib die letzten Stunden oder Tage an, oder einen Anfang und ein Ende."/utf8>>};
both(series_help) ->
    {<<"A topic filter such as home/+/temperature narrows the list.">>,
     <<"Ein Topic-Filter wie home/+/temperature grenzt die Liste ein."/utf8>>};
both(field_series) -> {<<"Series">>, <<"Reihe">>};
both(field_last) -> {<<"Last (such as 90m, 24h, 7d)">>, <<"Letzte (etwa 90m, 24h, 7d)">>};
both(field_from) -> {<<"From">>, <<"Von">>};
both(field_to) -> {<<"To">>, <<"Bis">>};
both(field_step) -> {<<"Step (such as 5m, 1h; empty: automatic)">>,
                     <<"Schritt (etwa 5m, 1h; leer: automatisch)">>};
both(field_aggregates) -> {<<"Aggregates">>, <<"Aggregate">>};
both(field_max) -> {<<"Rows per page">>, <<"Zeilen je Seite">>};
both(field_filter) -> {<<"Topic filter">>, <<"Topic-Filter">>};
both(column_start) -> {<<"Start">>, <<"Beginn">>};
both(column_series) -> {<<"Series">>, <<"Reihe">>};
both(column_title) -> {<<"Title">>, <<"Titel">>};
both(column_value) -> {<<"Value">>, <<"Wert">>};
both(column_unit) -> {<<"Unit">>, <<"Einheit">>};
both(column_age) -> {<<"Age (s)">>, <<"Alter (s)">>};
both(column_count) -> {<<"Samples">>, <<"Messwerte">>};
both(column_stream) -> {<<"Stream">>, <<"Strom">>};
both(status_build) -> {<<"Program">>, <<"Programm">>};
both(status_uptime) -> {<<"Running for">>, <<"Läuft seit"/utf8>>};
both(status_series) -> {<<"Series">>, <<"Reihen">>};
both(status_alerts) -> {<<"Alerts">>, <<"Alarmregeln">>};
both(status_alarms) -> {<<"Alarms now">>, <<"Alarme zurzeit">>};
both(status_received) -> {<<"Values received">>, <<"Empfangene Werte">>};
both(status_accepted) -> {<<"Values accepted">>, <<"Angenommene Werte">>};
both(status_refused) -> {<<"Refused over a limit or for a topic in use">>, <<"Abgewiesen wegen einer Grenze oder eines belegten Topics">>};
both(status_dropped) -> {<<"Values dropped">>, <<"Verworfene Werte">>};
both(status_brokers) -> {<<"Brokers">>, <<"Broker">>};
both(status_history) -> {<<"History (bytes)">>, <<"Verlauf (Bytes)">>};
both(status_error) -> {<<"Error of the history">>, <<"Fehler des Verlaufs">>};
both(status_feed) -> {<<"Queue to the program">>, <<"Warteschlange zum Programm">>};
both(feed_waiting) -> {<<"waiting: ~b (~b bytes in memory, ~b in files)">>,
                       <<"wartend: ~b (~b Bytes im Speicher, ~b in Dateien)">>};
both(feed_oldest) -> {<<"oldest: ~ts s">>, <<"älteste: ~ts s"/utf8>>};
both(feed_lost) -> {<<"dropped: ~b">>, <<"verworfen: ~b">>};
both(feed_seen) -> {<<"publications: ~b, of which wanted: ~b">>,
                    <<"Veröffentlichungen: ~b, davon gewollt: ~b"/utf8>>};
both(more) -> {<<"There is more on the next page.">>, <<"Auf der nächsten Seite geht es weiter."/utf8>>};
both(empty) -> {<<"There is nothing to show.">>, <<"Es gibt nichts zu zeigen.">>};
both(denied) -> {<<"Access denied by service policy">>, <<"Der Zugriff ist nicht erlaubt">>};
both(no_series) -> {<<"There is no such series">>, <<"Diese Reihe gibt es nicht">>};
both(series_alike) -> {<<"There is no such series, perhaps ~ts">>, <<"Diese Reihe gibt es nicht, vielleicht ~ts">>};
both(no_command) -> {<<"There is no such command">>, <<"Diesen Befehl gibt es nicht">>};
both(expired) -> {<<"This page is too old, ask again">>,
                  <<"Diese Seite ist zu alt, bitte neu fragen">>};
both(busy) -> {<<"Too many questions at once, try again in a moment">>,
               <<"Zu viele Fragen auf einmal, bitte gleich noch einmal versuchen">>};
both(missing) -> {<<"Field ~ts is required">>, <<"Das Feld ~ts ist nötig"/utf8>>};
both(bad_field) -> {<<"Field ~ts: ~ts">>, <<"Feld ~ts: ~ts">>};
both(want_duration) -> {<<"expected a duration such as 90s, 5m, 24h or 7d">>,
                        <<"erwartet wird eine Dauer wie 90s, 5m, 24h oder 7d">>};
both(want_time) -> {<<"expected a time such as 2026-04-04T12:00:00Z">>,
                    <<"erwartet wird eine Zeit wie 2026-04-04T12:00:00Z">>};
both(want_rows) -> {<<"expected a number from 1 to ~b">>, <<"erwartet wird eine Zahl von 1 bis ~b">>};
both(want_aggregates) -> {<<"expected some of: ~ts">>, <<"erwartet werden einige von: ~ts">>};
both(description) ->
    {<<"Keeps the history of values that are published over MQTT, republishes summaries and sends alerts">>,
     <<"Bewahrt den Verlauf von Werten, die über MQTT kommen, veröffentlicht Zusammenfassungen und sendet Alarme"/utf8>>};
both(chat_help) ->
    {<<"I only send alerts. History, series and status are ad-hoc commands of ~ts: look for "
       "\"Execute command\" in the menu of your client.">>,
     <<"Ich sende nur Alarme. Verlauf, Reihen und Status sind Ad-hoc-Befehle von ~ts: suche im "
       "Menü deines Clients nach „Befehl ausführen“."/utf8>>}.
