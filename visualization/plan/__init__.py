"""What a drawing shows, as plain data, whatever draws it."""
