"""The labels of the page in English and German; the browser's language decides (`gr.I18n`).

A label is named by a key. The page's scripts get the same words, for what they draw themselves, and to put
in the place of the English ones in HTML that was drawn here (`word()`, `assets/page.js`).
Answers of the guide, explanations and error sentences are English.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest

import gradio as gr
from gradio.i18n import I18nData

from .display import literal

WORDS: Mapping[str, tuple[str, str]] = {
    "chat": ("Chat", "Chat"),
    "compare": ("Compare", "Vergleich"),
    "menu": ("Menu", "Menü"),
    "settings": ("Settings", "Einstellungen"),
    "conversation": ("Conversation", "Gespräch"),
    "message": ("Message", "Nachricht"),
    "edit_message": ("Change the message", "Nachricht ändern"),
    "ask_something": ("Ask something …", "Frage stellen …"),
    "send": ("Send", "Senden"),
    "stop": ("Stop", "Stopp"),
    "back_end": ("Back end", "Anbieter"),
    "credential": ("Cookie or playground key", "Cookie oder Schlüssel"),
    "check": ("Check", "Prüfen"),
    "model": ("Model", "Modell"),
    "temporary": ("Temporary chat", "Vorübergehender Chat"),
    "chat_id": ("Chat id", "Nummer des Chats"),
    "system": ("System prompt", "Systemanweisung"),
    "max_tokens": ("Max tokens", "Token höchstens"),
    "temperature": ("Temperature", "Temperatur"),
    "top_p": ("Top p", "Top p"),
    "more_parameters": ("More parameters", "Weitere Parameter"),
    "reasoning_effort": ("Reasoning effort", "Denkaufwand"),
    "seed": ("Seed", "Startwert"),
    "stop_at": ("Stop at", "Enden vor"),
    "look": ("Look inside", "Hineinsehen"),
    "look_request": ("Request", "Anfrage"),
    "look_wire": ("Wire", "Leitung"),
    "look_code": ("Code", "Code"),
    "look_language": ("Language", "Sprache"),
    "look_target": ("Against", "Gegen"),
    "look_previous": ("Previous answer", "Vorige Antwort"),
    "look_next": ("Next answer", "Nächste Antwort"),
    "look_close": ("Close", "Schließen"),
    "look_copy": ("Copy", "Kopieren"),
    "look_save": ("Save as JSON", "Als JSON speichern"),
    "look_which": ("Answer {} of {} by {} to “{}”", "Antwort {} von {}, {}, auf „{}“"),
    "look_nobody": ("nobody", "niemand"),
    "look_way": ("On the way", "Unterwegs"),
    "look_request_of": ("Request {} of {}", "Anfrage {} von {}"),
    "look_answer_to": ("Answer to request {} of {}", "Antwort auf Anfrage {} von {}"),
    "look_head": ("head after {}", "Kopf nach {}"),
    "look_headers": ("Headers", "Kopfzeilen"),
    "look_body": ("Body, laid out", "Inhalt, eingerückt"),
    "look_sent": ("Body as it was sent", "Inhalt, wie gesendet"),
    "look_asked": ("As it was asked", "Wie gefragt wurde"),
    "look_temporary": ("temporary", "vorübergehend"),
    "look_stored": ("stored as {}", "gespeichert als {}"),
    "look_pieces": ("Pieces", "Stücke"),
    "look_text": ("text", "Text"),
    "look_thinking": ("thinking", "Denken"),
    "look_pause": ("pause", "Pause"),
    "look_usage": ("usage", "Verbrauch"),
    "look_finish": ("finish", "Ende"),
    "look_nothing": ("nothing yet", "noch nichts"),
    "look_copied": ("Copied.", "Kopiert."),
    "look_not_copied": ("The browser did not let it be copied.", "Der Browser ließ das Kopieren nicht zu."),
    "look_saved": ("Saved as a file.", "Als Datei gespeichert."),
    "look_not_saved": ("There is nothing to save any more.", "Es gibt nichts mehr zu speichern."),
    "waiting": ("Waiting for {} …", "Warten auf {} …"),
    "waiting_since": ("Waiting for {} … {}", "Warten auf {} … {}"),
    "an_answer": ("an answer", "eine Antwort"),
    "answering": ("Answering …", "Antwortet …"),
    "thinking": ("Thinking", "Denken"),
    "first_text": ("first text {}", "erster Text {}"),
    "total": ("total {}", "gesamt {}"),
    "rate_tokens": ("{} tokens/s", "{} Token/s"),
    "rate_characters": ("{} characters/s", "{} Zeichen/s"),
    "tokens_in": ("{} tokens in", "{} Token Eingabe"),
    "tokens_out": ("{} tokens out", "{} Token Ausgabe"),
    "cached": ("{} cached", "{} im Zwischenspeicher"),
    "neurons": ("{} neurons", "{} Neuronen"),
    "dropped": ("{} earlier messages left out for room", "{} frühere Nachrichten aus Platzmangel ausgelassen"),
    "escaped": ("{} < or > sent escaped", "{} < oder > maskiert gesendet"),
    "end": ("end: {}", "Ende: {}"),
    "end_stopped": ("stopped", "angehalten"),
    "end_failed": ("failed", "gescheitert"),
    "end_cut": ("cut", "abgebrochen"),
    "end_unknown": ("unknown", "unbekannt"),
    "publisher": ("Publisher", "Herausgeber"),
    "context": ("Context window", "Kontextfenster"),
    "tokens": ("{} tokens", "{} Token"),
    "description": ("Description", "Beschreibung"),
    "price": ("Per million tokens", "Je Million Token"),
    "price_of": ("{} in · {} out", "{} ein · {} aus"),
    "price_neptun": ("{} (Neptun's account pays)", "{} (Neptuns Konto zahlt)"),
    "plan": ("Plan", "Tarif"),
    "paid": ("paid", "bezahlt"),
    "free": ("free", "kostenlos"),
    "reasoning": ("Reasoning", "Denken"),
    "vision": ("Vision", "Bilder"),
    "yes": ("yes", "ja"),
    "yes_of": ("yes: {}", "ja: {}"),
    "no": ("no", "nein"),
    "retires": ("Retires", "Abschaltung"),
    "list": ("List", "Liste"),
    "live": ("live", "aktuell"),
    "built_in": ("built in, as of {}", "mitgeliefert, Stand {}"),
    "sent": ("Sent with the question:", "Mit der Frage gesendet:"),
    "checking": ("Checking …", "Wird geprüft …"),
    "next_retry": ("Try again", "Noch einmal"),
    "next_raise": ("Raise the cap and try again", "Grenze anheben und noch einmal"),
    "next_credential": ("Check the credential", "Zugang prüfen"),
    "next_settings": ("Settings", "Einstellungen"),
    "next_model": ("Choose another model", "Anderes Modell wählen"),
    "column": ("Column {}", "Spalte {}"),
    "add_column": ("Add a column", "Spalte hinzufügen"),
    "remove_column": ("Remove column {}", "Spalte {} entfernen"),
    "stop_column": ("Stop column {}", "Spalte {} anhalten"),
    "retry": ("Retry", "Wiederholen"),
    "retry_column": ("Retry column {}", "Spalte {} wiederholen"),
    "keep_column": ("Keep this one", "Diese behalten"),
    "keep_this_column": ("Keep this one: column {}", "Diese behalten: Spalte {}"),
    "clear_columns": ("Clear", "Leeren"),
    "clear_all_columns": ("Clear all columns", "Alle Spalten leeren"),
    "ask_all": ("Ask all columns …", "Alle Spalten fragen …"),
    "compare_hint": (
        "Choose a model for each column, then ask: all of them answer the same message at the same time.",
        "Wählen Sie für jede Spalte ein Modell und fragen Sie: Alle antworten gleichzeitig auf dieselbe Frage.",
    ),
    "parameters": ("Parameters", "Parameter"),
    "replace_chat": (
        "The conversation in the chat is not kept in this browser. Replace it with this one?",
        "Das Gespräch im Chat wird in diesem Browser nicht aufbewahrt. Durch dieses ersetzen?",
    ),
    "replace": ("Replace", "Ersetzen"),
    "cancel": ("Cancel", "Abbrechen"),
    "conversations": ("Conversations", "Gespräche"),
    "new_chat": ("New chat", "Neues Gespräch"),
    "none_kept": ("None yet.", "Noch keine."),
    "private": ("Private: keep nothing", "Privat: nichts behalten"),
    "kept_where": (
        "Kept in this browser, without credentials. The app gets the open one, and forgets it with this page.",
        "In diesem Browser, ohne Zugangsdaten. Die App bekommt das offene und vergisst es mit dieser Seite.",
    ),
    "kept_nowhere": (
        "In this tab nothing that is said from now on is kept. What was kept before stays.",
        "In diesem Tab wird ab jetzt nichts behalten. Was vorher behalten wurde, bleibt.",
    ),
    "kept_again": ("From here on it is kept again.", "Ab hier wird wieder behalten."),
    "still_unkept": (
        "What was said in private stays unkept: only a new chat is kept again.",
        "Privat Gesagtes bleibt unbehalten: erst ein neues Gespräch wird wieder behalten.",
    ),
    "export_json": ("Export JSON", "JSON exportieren"),
    "export_markdown": ("Export Markdown", "Markdown exportieren"),
    "import": ("Import", "Importieren"),
    "copy_link": ("Copy link", "Link kopieren"),
    "copy_this": ("The link, to copy by hand:", "Der Link, zum Kopieren von Hand:"),
    "rename": ("Rename", "Umbenennen"),
    "title": ("Title", "Titel"),
    "delete": ("Delete", "Löschen"),
    "delete_now": ("Delete?", "Löschen?"),
    "deleted": ("Deleted.", "Gelöscht."),
    "nothing_said": ("There is nothing to export yet.", "Es gibt noch nichts zu exportieren."),
    "too_large": ("The file is too large to be read here.", "Die Datei ist zu groß, um sie hier zu lesen."),
    "not_there": ("That conversation is not there any more.", "Dieses Gespräch gibt es nicht mehr."),
    "not_taken": (
        "The app did not take it: it may be too large, or the app may be gone. Try again.",
        "Die App hat es nicht angenommen: vielleicht ist es zu groß, oder die App ist weg. Bitte noch einmal.",
    ),
    "storage_full": (
        "This browser has no room left: the conversation is not kept. Delete others, or export it.",
        "Kein Platz mehr im Browser: das Gespräch wird nicht behalten. Andere löschen, oder exportieren.",
    ),
    "storage_closed": (
        "This browser does not let the page keep anything: export what you want to keep.",
        "Dieser Browser lässt die Seite nichts behalten: exportieren, was bleiben soll.",
    ),
    "keys": ("Keyboard", "Tastatur"),
    "close": ("Close", "Schließen"),
    "key_send": ("Send the message", "Nachricht senden"),
    "key_line": ("Break the line", "Neue Zeile"),
    "key_stop": ("Stop the answer", "Antwort anhalten"),
    "key_keys": ("Show these keys", "Diese Tasten zeigen"),
}

ENGLISH = {key: english for key, (english, _) in WORDS.items()}
GERMAN = {key: german for key, (_, german) in WORDS.items()}

I18N = gr.I18n(en=ENGLISH, de=GERMAN)


def label(key: str) -> I18nData:
    """The label of that key, for a component; the browser translates it. Raises `KeyError`."""
    if key not in WORDS:
        raise KeyError(key)
    return I18N(key)


def english(key: str, *figures: str) -> str:
    """The label of that key in English, with *figures* in the places of its `{}`. Raises `KeyError`."""
    return ENGLISH[key].format(*figures)


def word(key: str, *figures: str, tag: str = "span") -> str:
    """HTML: the label of that key in English, in an element that the browser translates. Raises `KeyError`.

    *figures* are HTML, in the places of its `{}`. The class of the element names the key; nobody else's text
    can have one (`display.py`).
    """
    parts = literal(ENGLISH[key].replace("{}", _PLACE)).split(_PLACE)
    drawn = [f"<{tag}>{figure}</{tag}>" for figure in figures]
    inner = "".join(f"{part}{figure}" for part, figure in zip_longest(parts, drawn, fillvalue=""))
    return f'<{tag} class="neptun-word-{key}">{inner}</{tag}>'


_PLACE = "\ue000"
"""What no label has in it, and `literal()` leaves as it is."""
