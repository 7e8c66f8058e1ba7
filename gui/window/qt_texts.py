"""Qt's own texts, in file dialogs, message boxes and context menus, in the language of the program."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QObject, QTranslator
from PySide6.QtWidgets import QApplication, QToolButton

from core import language
from core.contracts.text import tr, tr_in
from gui import translation

_KEY_NAMES = "QShortcut"
"""The context of the names of keys, which stay as they are printed on the keyboard."""

_OWN = {
    "&Look in:": tr("&Look in:"),
    "Files of &type:": tr("Files of &type:"),
    "Size": tr_in("of a file", "Size"),
    "&Undo": tr("&Undo"),
    "Line up": tr("Line up"),
    "Line down": tr("Line down"),
    "File Folder": tr("File Folder"),
    "Folder": tr("Folder"),
    "%1 File": tr("%1 File"),
    "File": tr_in("type of a file", "File"),
    "Drive": tr("Drive"),
    "Unknown": tr_in("type of a file", "Unknown"),
}
"""What the translation shipped with Qt leaves in English, or says in other terms than the rest of the window."""


_LANGUAGE = "_tilescope_language"
_SCROLL_BUTTONS = {"ScrollLeftButton": "Scroll Left", "ScrollRightButton": "Scroll Right"}


class QtTexts(QTranslator):
    """The translation shipped with Qt into one language, completed by the catalogue of the program."""

    def __init__(self, code: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._code = code
        self._shipped = QTranslator(self)
        folder = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
        self._shipped.load(QLocale(code), "qtbase", "_", folder)

    def isEmpty(self) -> bool:
        return False

    def translate(self, context: str, text: str, disambiguation: str | None = None, n: int = -1) -> str:
        """The text in the language; as it is where there is no translation."""
        if context == _KEY_NAMES:
            return text
        if text in _OWN and (translated := _OWN[text].in_language(self._code)) != text:
            return translated
        return self._shipped.translate(context, text, disambiguation, n) or text


class QtLanguage(QObject):
    """Keeps Qt's own texts in the current language. English is the language of Qt's source."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._texts: QtTexts | None = None
        translation.notifier().changed.connect(self._use)
        self._use(language.current())

    def _use(self, code: str) -> None:
        """Qt then tells every widget, and those with texts of Qt show them anew."""
        if self._texts is not None:
            QCoreApplication.removeTranslator(self._texts)
            self._texts.deleteLater()
        self._texts = QtTexts(code, self) if code in language.LANGUAGES and code != language.ENGLISH else None
        if self._texts is not None:
            QCoreApplication.installTranslator(self._texts)
        _name_scroll_buttons()


def _name_scroll_buttons() -> None:
    """The buttons of a tab bar get their accessible names when they are made, and Qt does not update them."""
    for window in QApplication.topLevelWidgets():
        for object_name, text in _SCROLL_BUTTONS.items():
            for button in window.findChildren(QToolButton, object_name):
                button.setAccessibleName(QCoreApplication.translate("QTabBar", text))


def follow_language(app: QCoreApplication) -> None:
    """Keep Qt's texts in the current language for as long as the application lives."""
    if not hasattr(app, _LANGUAGE):  # `findChild` would do, but the first call of it costs a tenth of the start
        setattr(app, _LANGUAGE, QtLanguage(app))
