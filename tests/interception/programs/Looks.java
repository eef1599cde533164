import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/** Both ways by which Java's own library asks a host, one line each: what came of it. */
public class Looks {
    static final String AZURE = "https://management.azure.com/metadata/endpoints?api-version=2015-01-01";

    static String url(String where) throws Exception {
        HttpURLConnection connection = (HttpURLConnection) URI.create(where).toURL().openConnection();
        connection.setRequestProperty("Metadata", "true");
        try {
            return String.valueOf(connection.getResponseCode());
        } catch (IOException error) {
            return error.getMessage().contains("403") ? "refused" : error.toString();
        }
    }

    public static void main(String[] arguments) throws Exception {
        System.out.println("url " + url(AZURE));
        HttpRequest request = HttpRequest.newBuilder(URI.create(AZURE)).build();
        System.out.println("client "
            + HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.discarding()).statusCode());
        System.out.println("machine " + url("http://169.254.169.254/metadata/identity/oauth2/token?resource=x"));
        System.out.println("other " + url("https://example.com/"));
    }
}
