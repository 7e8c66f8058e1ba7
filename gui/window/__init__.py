"""The window: starting the application, menus, navigation, settings, pictures of pages."""
